from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nas.domain.architecture import Architecture
from nas.domain.device import LatencyProtocol
from nas.domain.job import MeasureBlock, MeasureNetwork
from nas.domain.teacher import Calibration
from nas.domain.value import FrozenDict
from nas.errors import EvaluationError, UnknownName
from nas.estimation.devices import DEVICES
from nas.estimation.devices.base import Subject
from nas.estimation.devices.timed import timed_calls
from nas.estimation.latency import measure_block, measure_network
from nas.estimation.latency_statistics import median_interval, quantile
from nas.space.teachers.load import LoadedTeacher

QUICK = LatencyProtocol(warmup=1, repeats=5, seconds=0.0)


def ticking(seconds: float) -> Iterator[float]:
    """A clock that moves a little every time one looks at it."""
    return itertools.count(0.0, seconds)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # Ranks of the tabulated 95 % interval of the median (Hahn & Meeker 1991; Conover 1999, table A3).
    [(6, 1, 6), (9, 2, 8), (10, 2, 9), (15, 4, 12), (20, 6, 15), (25, 8, 18), (50, 18, 33), (100, 40, 61)],
)
def test_the_interval_of_the_median_is_the_tabulated_one(count: int, low: int, high: int) -> None:
    samples = [float(rank) for rank in range(1, count + 1)]
    random.Random(0).shuffle(samples)
    assert median_interval(samples) == (low, high)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_too_few_samples_give_their_range(count: int) -> None:
    samples = [float(rank) for rank in range(count)]
    assert median_interval(samples) == (0.0, count - 1.0)


def test_the_interval_holds_the_median_of_a_skewed_distribution_often_enough() -> None:
    draw = random.Random(1)
    hits = 0
    for _ in range(1000):
        low, high = median_interval([draw.expovariate(1.0) for _ in range(15)])
        hits += low <= 0.6931 <= high
    assert hits >= 940


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200))
def test_the_interval_surrounds_the_median(samples: list[float]) -> None:
    low, high = median_interval(samples)
    assert low <= statistics.median(samples) <= high
    assert quantile(samples, 0.5) == pytest.approx(statistics.median(samples))


def test_a_hundred_thousand_samples_are_no_trouble() -> None:
    low, high = median_interval([float(rank) for rank in range(100_000)])
    assert (low + high) / 2 == pytest.approx(49_999.5)
    assert high - low == pytest.approx(2 * 1.96 * 0.5 * 100_000**0.5, rel=0.01)


def test_samples_go_on_until_there_are_enough_and_long_enough() -> None:
    calls: list[int] = []
    clock = ticking(0.01)
    protocol = LatencyProtocol(warmup=4, repeats=3, seconds=1.0)
    samples, canaries = timed_calls(lambda: calls.append(1), protocol, lambda: next(clock))
    assert len(calls) == len(samples) + 4
    assert canaries == ()
    assert len(samples) > 20
    assert samples == pytest.approx([10.0] * len(samples))
    clock = ticking(10.0)
    slow = protocol.evolve(seconds=0.0)
    assert len(timed_calls(lambda: None, slow, lambda: next(clock))[0]) == 3


def test_a_network_that_is_too_slow_for_the_protocol_is_refused() -> None:
    clock = ticking(10.0)
    with pytest.raises(EvaluationError, match="longer than 60 s"):
        timed_calls(lambda: None, LatencyProtocol(timeout_s=60.0, repeats=100), lambda: next(clock))


def block_job(teacher: LoadedTeacher, calibration: Calibration, stage: str, variant: str) -> MeasureBlock:
    return MeasureBlock(
        teacher=teacher.ref, calibration=calibration, stage=stage, variant=variant, device="host", protocol=QUICK
    )


@pytest.mark.parametrize(("stage", "variant"), [("", "teacher"), ("E2", "RA"), ("Mid", "removed"), ("D4", "removed")])
def test_isolated_blocks_and_the_floor_are_timed(
    teacher: LoadedTeacher, calibration: Calibration, stage: str, variant: str
) -> None:
    measured = measure_block(teacher, block_job(teacher, calibration, stage, variant))
    assert len(measured.samples_ms) >= 5
    assert 0 < measured.interval_ms[0] <= measured.median_ms <= measured.interval_ms[1]
    assert measured.median_ms <= measured.p90_ms
    assert measured.device.kind == "measured"
    assert {"soc", "cores", "os", "threads"} <= set(measured.device.labels)
    assert "onnxruntime" in measured.device.runtime


def test_the_subject_of_a_latency_does_not_depend_on_weights(
    teacher: LoadedTeacher, calibration: Calibration
) -> None:
    backend = DEVICES.get("host")
    inputs = {"x": torch.randn(1, 4)}
    layers = [nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 5)]
    first, same, other = (backend.measure(Subject(layer.eval(), inputs), QUICK).subject for layer in layers)
    assert first == same != other


def test_weights_that_are_alike_by_chance_do_not_make_another_subject() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.GroupNorm(2, 4), nn.GroupNorm(2, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(torch.relu(self.first(x)))

    backend, inputs = DEVICES.get("host"), {"x": torch.randn(1, 4, 8, 8)}
    untrained, trained = Twice().eval(), Twice().eval()
    for parameter in trained.parameters():
        nn.init.normal_(parameter)
    one, other = (backend.measure(Subject(network, inputs), QUICK) for network in (untrained, trained))
    assert one.subject == other.subject
    assert torch.equal(untrained.first.weight, torch.ones(4))  # left as it was


def test_another_reshape_is_another_subject() -> None:
    class Reshaped(nn.Module):
        def __init__(self, *shape: int) -> None:
            super().__init__()
            self.shape = shape

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(*self.shape).transpose(0, 1).reshape(-1)

    backend, inputs = DEVICES.get("host"), {"x": torch.randn(24)}
    one, other = (backend.measure(Subject(Reshaped(*shape), inputs), QUICK) for shape in ((4, 6), (3, 8)))
    assert one.subject != other.subject


def test_a_whole_network_is_timed_untrained(teacher: LoadedTeacher, calibration: Calibration) -> None:
    payload = MeasureNetwork(
        teacher=teacher.ref,
        calibration=calibration,
        architecture=Architecture(choices=FrozenDict(dict.fromkeys(("E4", "Mid", "D4"), "removed"))),
        device="host",
        protocol=QUICK,
    )
    assert measure_network(teacher, payload).median_ms > 0


def test_an_unknown_device_names_the_known_ones(teacher: LoadedTeacher, calibration: Calibration) -> None:
    job = block_job(teacher, calibration, "", "teacher").evolve(device="hots")
    with pytest.raises(UnknownName, match="host"):
        measure_block(teacher, job)


def test_a_module_that_cannot_be_exported_is_an_evaluation_error() -> None:
    class Unexportable(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvals(x)

    with pytest.raises(EvaluationError, match="Unexportable"):
        DEVICES.get("host").measure(Subject(Unexportable(), {"x": torch.eye(3)}), QUICK)


def test_the_canary_takes_about_as_long_as_what_is_timed_and_is_told_per_call() -> None:
    now = 0.0
    calls: list[str] = []

    def spend(name: str, seconds: float) -> None:
        nonlocal now
        now += seconds
        calls.append(name)

    protocol = LatencyProtocol(warmup=2, repeats=4, seconds=0.0)
    network, canary = (lambda: spend("network", 0.02)), (lambda: spend("canary", 0.002))
    samples, canaries = timed_calls(network, protocol, lambda: now, canary)
    assert samples == pytest.approx([20.0] * 4)
    assert canaries == pytest.approx([2.0] * 4)
    assert calls[4:] == (["canary"] * 10 + ["network"]) * 4
