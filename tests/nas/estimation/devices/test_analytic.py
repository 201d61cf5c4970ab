from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
from onnx import helper
from torch import nn

from nas.domain.architecture import TEACHER_VARIANT, Architecture
from nas.domain.job import MeasureBlock, MeasureNetwork
from nas.domain.teacher import Calibration
from nas.domain.value import FrozenDict
from nas.errors import EvaluationError, NotCounted
from nas.estimation.cost import flops_by_torch
from nas.estimation.devices import DEVICES
from nas.estimation.devices.analytic import AnalyticDevice
from nas.estimation.devices.analytic.graph import Graph, read_graph
from nas.estimation.devices.analytic.roofline import plan
from nas.estimation.devices.analytic.target import Granules
from nas.estimation.devices.analytic.work import macs
from nas.estimation.devices.base import Subject
from nas.estimation.latency import block_subject, network_subject
from nas.space.teachers.load import LoadedTeacher
from tests.nas.estimation.devices.graphs import PLAIN, PROCESSOR, PROTOCOL, milliseconds, model


def convolution(folder: Path, channels: int = 64, groups: int = 1, then: tuple[str, ...] = ()) -> Graph:
    """3 x 3 over 32 channels of 16 x 16, and perhaps something after it."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["y0"], pads=[1, 1, 1, 1], group=groups)]
    nodes += [helper.make_node(one, [f"y{place}"], [f"y{place + 1}"]) for place, one in enumerate(then)]
    return read_graph(model(folder, nodes, {"x": [1, 32, 16, 16]}, {"w": [channels, 32 // groups, 3, 3]}))


def test_a_convolution_takes_what_one_computes_by_hand(tmp_path: Path) -> None:
    graph = convolution(tmp_path)
    assert macs(graph) == 64 * 16 * 16 * 32 * 9 == 4_718_592
    # 4.718592 M at 1 G/s, a launch of 0.01 ms and 0.1 ms for the call; everything stays inside.
    assert milliseconds(graph, PLAIN) == pytest.approx(4.718592 + 0.01 + 0.1)
    assert milliseconds(graph, PLAIN, "int8") == pytest.approx(4.718592 / 4 + 0.01 + 0.1)


def test_a_convolution_bound_by_memory_takes_its_bytes(tmp_path: Path) -> None:
    narrow = PLAIN.evolve(sram_bytes=0, memory_bytes_per_s=1e6)
    values = 32 * 16 * 16 + 64 * 16 * 16 + 64 * 32 * 9  # in, out, weights
    assert milliseconds(convolution(tmp_path), narrow) == pytest.approx(values * 4 / 1e6 * 1e3 + 0.01 + 0.1)


def test_channels_that_do_not_fill_the_array_cost_like_those_that_do(tmp_path: Path) -> None:
    wide = PLAIN.evolve(granules=Granules(channels=64))
    assert milliseconds(convolution(tmp_path, 40), wide) == milliseconds(convolution(tmp_path, 64), wide)
    assert milliseconds(convolution(tmp_path, 65), wide) > milliseconds(convolution(tmp_path, 64), wide)


def test_a_depthwise_convolution_runs_on_the_vector_unit_where_the_array_would_idle(tmp_path: Path) -> None:
    array = PLAIN.evolve(granules=Granules(reduction=64, channels=64))
    depthwise = convolution(tmp_path, 32, groups=32)
    exact = 32 * 16 * 16 * 9
    assert macs(depthwise) == exact
    assert milliseconds(depthwise, array) == pytest.approx(exact / 1e8 * 1e3 + 0.11)


def test_what_does_not_fit_inside_costs_time_and_less_room_never_saves_any(tmp_path: Path) -> None:
    graph = convolution(tmp_path, then=("Relu", "Transpose", "Softmax"))
    slow = PLAIN.evolve(memory_bytes_per_s=1e7)
    times = [milliseconds(graph, slow.evolve(sram_bytes=size)) for size in (2**30, 2**17, 2**16, 2**14, 0)]
    assert times == sorted(times)
    assert times[0] < times[2] < times[-1]


def test_a_tensor_that_waits_for_later_takes_room_from_those_between(tmp_path: Path) -> None:
    def waits(*, long: bool) -> Graph:
        nodes = [helper.make_node("Softmax", ["x"], ["a"]), helper.make_node("Softmax", ["a"], ["b"])]
        nodes += [helper.make_node("Softmax", ["b"], ["c"]), helper.make_node("Softmax", ["c"], ["d"])]
        return read_graph(
            model(tmp_path, [*nodes, helper.make_node("Add", ["d", "a" if long else "c"], ["e"])], {"x": [1, 64]}, {})
        )

    short, long = (plan(waits(long=one), PLAIN, "fp32").groups for one in (False, True))
    assert [group.live_elements for group in short] == [128, 128, 128, 128]
    assert [group.live_elements for group in long] == [128, 128, 192, 192]


def test_elementwise_operators_run_with_their_producer_and_write_nothing_between(tmp_path: Path) -> None:
    graph = convolution(tmp_path, then=("Relu", "Sigmoid"))
    together, apart = (plan(graph, PLAIN.evolve(fuses=fuses, sram_bytes=0), "fp32") for fuses in (True, False))
    assert (len(together.groups), len(apart.groups)) == (1, 3)
    between = 2 * 2 * 64 * 16 * 16 * 4  # two tensors, written and read
    assert apart.memory.sum() - together.memory.sum() == between
    assert apart.vector.sum() == together.vector.sum()


def test_views_are_free_and_a_target_may_make_movement_free(tmp_path: Path) -> None:
    graph = convolution(tmp_path, then=("Identity", "Transpose", "Flatten"))
    assert len(plan(graph, PLAIN, "fp32").groups) == 2
    assert len(plan(graph, PLAIN.evolve(vector_costs=FrozenDict({"Transpose": 0.0})), "fp32").groups) == 1


@pytest.mark.parametrize("missing", list(itertools.combinations(("Conv", "Relu", "Softmax", "Sigmoid"), 2)))
def test_one_more_fall_back_is_never_faster(tmp_path: Path, missing: tuple[str, str]) -> None:
    graph = convolution(tmp_path, then=("Relu", "Sigmoid", "Softmax", "Relu", "Sigmoid"))
    everything = ("Conv", "Relu", "Softmax", "Sigmoid")
    some, more = (tuple(one for one in everything if one not in missing[:count]) for count in (1, 2))
    times = [
        milliseconds(graph, PLAIN.evolve(supported=supported, fallback=PROCESSOR))
        for supported in (everything, some, more)
    ]
    assert times == sorted(times)
    assert times[0] < times[1] < times[2]


def test_fall_backs_are_flagged_in_the_profile_and_counted(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"], name="first"), helper.make_node("Softmax", ["y"], ["z"])]
    subject = Subject(None, {}, model(tmp_path, nodes, {"x": [1, 8]}, {}))
    device = AnalyticDevice(PLAIN.evolve(supported=("Relu",), fallback=PROCESSOR))
    layers = device.profile(subject, PROTOCOL)
    assert [(one.name, one.unit, one.is_fallback) for one in layers] == [("first", "NPU", False), ("z", "CPU", True)]
    measured = device.measure(subject, PROTOCOL)
    assert (measured.fallbacks, measured.device.kind, len(measured.samples_ms)) == (1, "model", 1)
    assert measured.median_ms == pytest.approx(sum(one.ms for one in layers) + 0.1)


def test_a_target_without_a_processor_refuses_what_it_cannot_run_and_names_all(tmp_path: Path) -> None:
    graph = convolution(tmp_path, then=("Relu", "Softmax"))
    with pytest.raises(EvaluationError, match="Relu, Softmax"):
        plan(graph, PLAIN.evolve(supported=("Conv",)), "fp32")


def test_unknown_operators_are_told_all_at_once_and_never_counted_as_nothing(tmp_path: Path) -> None:
    nodes = [helper.make_node("Det", ["x"], ["y"]), helper.make_node("Hardmax", ["y"], ["z"])]
    with pytest.raises(NotCounted, match="Det, Hardmax"):
        read_graph(model(tmp_path, nodes, {"x": [4, 4]}, {}))
    foreign = [helper.make_node("Conv", ["x"], ["y"], domain="example")]
    with pytest.raises(NotCounted, match=r"example\.Conv"):
        read_graph(model(tmp_path, foreign, {"x": [4, 4]}, {}))


def test_a_graph_without_fixed_shapes_is_refused(tmp_path: Path) -> None:
    relu = helper.make_node("Relu", ["x"], ["y"])
    with pytest.raises(EvaluationError, match="fixed"):
        read_graph(model(tmp_path, [relu], {"x": ["batch", 8]}, {}))


def test_shapes_that_a_graph_computes_are_folded(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Constant", [], ["one"], value_ints=[1]),
        helper.make_node("Gather", ["shape", "one"], ["width"]),
        helper.make_node("Concat", ["one", "width"], ["wanted"], axis=0),
        helper.make_node("Expand", ["y", "wanted"], ["spread"]),
        helper.make_node("Add", ["x", "spread"], ["z"]),
    ]
    graph = read_graph(model(tmp_path, nodes, {"x": [5, 7], "y": [1, 1]}, {}))
    assert [node.operator for node in graph.nodes] == ["Expand", "Add"]
    assert (graph.shapes["spread"], graph.shapes["z"]) == ((1, 7), (5, 7))


@pytest.mark.parametrize(
    ("equation", "left", "right", "expected"),
    [("bnhd,bnhe->bhde", [2, 5, 3, 4], [2, 5, 3, 6], 2 * 3 * 5 * 4 * 6), ("ij,kj->ik", [3, 5], [4, 5], 60)],
)
def test_products_written_as_sums_over_letters_are_counted(
    tmp_path: Path, equation: str, left: list[int], right: list[int], expected: int
) -> None:
    node = helper.make_node("Einsum", ["a", "b"], ["c"], equation=equation)
    assert macs(read_graph(model(tmp_path, [node], {"a": left, "b": right}, {}))) == expected


def test_the_graph_holds_the_multiply_accumulates_that_torch_counts(
    teacher: LoadedTeacher, calibration: Calibration, tmp_path: Path
) -> None:
    choices = FrozenDict({"E1": "linattn", "D3": "dwsep", "D2": "ff50"})
    payload = MeasureNetwork(
        teacher=teacher.ref,
        calibration=calibration,
        architecture=Architecture(choices=choices),
        device="host",
        protocol=PROTOCOL,
    )
    subject = network_subject(teacher, payload)
    counted = flops_by_torch(subject.module, tuple(subject.inputs.values()))
    graph = read_graph(subject.onnx(tmp_path)[0])
    assert macs(graph) == counted.macs
    assert graph.weight_elements == pytest.approx(counted.params, rel=0.02)  # shapes are constants, too


def test_the_subject_of_an_estimate_does_not_depend_on_weights() -> None:
    device, inputs = AnalyticDevice(PLAIN), {"x": torch.randn(1, 4)}
    first, same, other = (
        device.measure(Subject(layer.eval(), inputs), PROTOCOL)
        for layer in (nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 5))
    )
    assert first.subject == same.subject != other.subject
    assert first.samples_ms == same.samples_ms


def test_the_interval_follows_the_uncertainty_of_the_target(tmp_path: Path) -> None:
    subject = Subject(None, {}, model(tmp_path, [helper.make_node("Relu", ["x"], ["y"])], {"x": [1, 8]}, {}))
    sure, unsure = (
        AnalyticDevice(PLAIN.evolve(relative_uncertainty=one)).measure(subject, PROTOCOL) for one in (0.1, 0.5)
    )
    assert sure.interval_ms[1] / sure.median_ms == pytest.approx(math.exp(0.196))
    assert unsure.interval_ms[0] < sure.interval_ms[0] < sure.median_ms < sure.interval_ms[1] < unsure.interval_ms[1]


@pytest.mark.parametrize("name", ["npu-hexagon", "npu-small", "cpu-core"])
def test_blocks_and_floor_add_up_to_the_network_which_is_called_once(
    teacher: LoadedTeacher, calibration: Calibration, name: str
) -> None:
    device = DEVICES.get(name)
    protocol = PROTOCOL.evolve(precision=device.precisions[0])
    base = {"teacher": teacher.ref, "calibration": calibration, "device": name, "protocol": protocol}
    table = {
        stage: device.measure(
            block_subject(teacher, MeasureBlock(**base, stage=stage, variant=TEACHER_VARIANT)), protocol
        ).median_ms
        for stage in ("", *(stage.name for stage in teacher.denoiser.stages))
    }
    whole = device.measure(
        network_subject(teacher, MeasureNetwork(**base, architecture=Architecture(choices=FrozenDict()))), protocol
    )
    assert sum(table.values()) == pytest.approx(whole.median_ms, rel=0.1)
    removed = MeasureBlock(**base, stage="Mid", variant="removed")
    assert device.measure(block_subject(teacher, removed), protocol).median_ms < 0.1 * table["Mid"]
