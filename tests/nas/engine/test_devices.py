from __future__ import annotations

import pytest

from nas.domain.cost import LatencyTable
from nas.domain.device import Device, LatencyMeasurement, LatencyProtocol
from nas.domain.lifecycle import SearchStatus
from nas.domain.metric import TABLE_LATENCY, is_exact, metric_named, on_device
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import LatencySpec, SearchSpec
from nas.engine.prepare import Preparation
from nas.estimation.devices.base import measurement
from tests.nas.engine.scene import DISTILLED, STAGES, Scene, a_spec

HOST = Device(name="host", backend="onnxruntime", runtime="onnxruntime 1.31", kind="measured")
TWO = (LatencySpec(device="host"), LatencySpec(device="phone"))


def taken(sample_ms: float, canary_ms: float) -> LatencyMeasurement:
    return measurement("0" * 64, HOST, LatencyProtocol(), [sample_ms] * 5, canary_ms=[canary_ms] * 5)


def test_a_search_on_two_devices_prices_every_trial_on_both_and_times_its_front_on_both() -> None:
    bound = OutcomeConstraint(metric="table_latency_ms_phone", at_most=25.0)
    scene = Scene(a_spec(latency=TWO, objectives=("params", "noise_mse"), constraints=(bound,)))
    assert scene.loop().run() is SearchStatus.COMPLETED
    prices = [trial.evaluation.metrics for trial in scene.trials() if trial.evaluation]
    assert all(
        price["table_latency_ms_phone"].mean == pytest.approx(3 * price["table_latency_ms"].mean) for price in prices
    )
    assert {price["table_latency_ms_phone"].mean <= 25.0 for price in prices} == {True, False}
    assert scene.executor.kinds["measure_block"] == 2 * (DISTILLED + 1)
    timed = [(facts["number"], facts["device"]) for facts in scene.facts("latency")]
    assert {device for _, device in timed} == {"host", "phone"}
    assert len(timed) == len(set(timed)) == 2 * len({number for number, _ in timed})


def test_the_bound_on_a_further_device_screens_what_breaks_it() -> None:
    bound = OutcomeConstraint(metric="table_latency_ms_phone", at_most=25.0)
    scene = Scene(a_spec(latency=TWO, objectives=("params",), constraints=(bound,)))
    scene.loop().run()
    broken = [t for t in scene.trials() if t.evaluation and t.evaluation.metrics[bound.metric].mean > 25.0]
    assert broken
    assert all(trial.is_screened for trial in broken)


def test_one_device_is_written_alone_or_in_a_list() -> None:
    alone, listed = a_spec(latency=TWO[0]), a_spec(latency=TWO[:1])
    assert [one.spec for one in alone.devices] == [one.spec for one in listed.devices] == [TWO[0]]
    assert SearchSpec.model_validate_json(alone.model_dump_json()) == alone
    assert SearchSpec.model_validate_json(listed.model_dump_json()) == listed
    assert a_spec().devices == ()


@pytest.mark.parametrize("name", ["table_latency_ms", "table_latency_ms_phone", "params", "gmacs"])
def test_costs_are_exact_on_every_device(name: str) -> None:
    assert is_exact(name)


@pytest.mark.parametrize("name", ["latency_ms", "latency_ms_phone", "noise_mse", "nothing"])
def test_what_is_measured_is_not_exact(name: str) -> None:
    assert not is_exact(name)


def test_a_metric_of_a_further_device_is_found_by_its_name() -> None:
    metric = on_device(TABLE_LATENCY, "Pixel-8")
    assert metric.name == "table_latency_ms_pixel_8"
    found = metric_named(metric.name)
    assert found is not None
    assert (found.name, found.unit, found.kind) == (metric.name, "ms", "exact")


def test_a_table_tells_all_latencies_as_on_one_machine() -> None:
    # The machine ran at half its speed while the second block was timed; its canary says so.
    table = LatencyTable.of("table_latency_ms", taken(1.0, 0.5), {"E1/R": taken(2.0, 0.5), "E2/R": taken(8.0, 1.0)})
    assert table.canary_ms == 0.5
    assert dict(table.blocks_ms) == {"E1/R": 2.0, "E2/R": 4.0}
    assert table.floor_ms == 1.0
    assert table.total_ms([("E1", "R"), ("E2", "R")]) == 7.0


def test_without_a_canary_a_table_takes_medians_as_they_are() -> None:
    plain = measurement("0" * 64, HOST, LatencyProtocol(canary=False), [3.0, 4.0, 9.0])
    table = LatencyTable.of("table_latency_ms", plain, {"E1/R": plain})
    assert (table.canary_ms, table.floor_ms, table.blocks_ms["E1/R"]) == (0.0, 4.0, 4.0)


def test_every_device_has_jobs_of_its_own() -> None:
    scene = Scene(a_spec(latency=TWO))
    alone = Scene(a_spec(latency=TWO[0]))
    both, one = (Preparation(one.search, STAGES).total for one in (scene, alone))
    assert both - one == DISTILLED + 1
