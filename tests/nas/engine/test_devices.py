from __future__ import annotations

from typing import Any

import pytest

from nas.domain.cost import LatencyTable
from nas.domain.device import Device, LatencyMeasurement, LatencyProtocol
from nas.domain.lifecycle import SearchStatus
from nas.domain.metric import TABLE_LATENCY, is_exact, metric_named, on_device
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import Budget, FidelityProtocol, LatencySpec, SearchSpec
from nas.engine.front import axes
from nas.engine.prepare import Preparation
from nas.estimation.devices.base import measurement
from tests.fakes.backends import LossyBackend
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


def a_timed_spec(*bounds: OutcomeConstraint, **changes: Any) -> SearchSpec:
    """Least params, with fidelity and the measured latency on both devices within bounds."""
    fidelity = OutcomeConstraint(metric="noise_mse", at_most=0.07)
    whole = FidelityProtocol(stop_early=False)
    return a_spec(latency=TWO, objectives=("params",), constraints=(fidelity, *bounds), fidelity=whole, **changes)


ON_BOTH = (
    OutcomeConstraint(metric="latency_ms", at_most=1.9),
    OutcomeConstraint(metric="latency_ms_phone", at_most=6.0),
)


def check_timed(scene: Scene) -> None:
    judged = [trial for trial in scene.trials() if trial.is_judged and trial.evaluation]
    promising = [t for t in judged if t.evaluation.metrics["noise_mse"].mean <= 0.07]
    assert 0 < len(promising) < len(judged)
    for trial in judged:
        metrics = trial.evaluation.metrics
        assert ("latency_ms" in metrics) == ("latency_ms_phone" in metrics) == (trial in promising)
        if trial in promising:
            assert metrics["latency_ms_phone"].mean == pytest.approx(3 * metrics["latency_ms"].mean)
            assert trial.is_feasible(scene.search.problem) == (metrics["latency_ms"].mean <= 1.9)


def test_promising_trials_are_timed_where_the_problem_speaks_of_measured_latency() -> None:
    scene = Scene(a_timed_spec(*ON_BOTH, budget=Budget(trials=14)))
    assert scene.loop().run() is SearchStatus.COMPLETED
    check_timed(scene)
    assert len(scene.trials()) == 14


def test_a_bound_on_one_device_times_only_there() -> None:
    scene = Scene(a_timed_spec(ON_BOTH[1], budget=Budget(trials=8)))
    scene.loop().run()
    timed = [set(t.evaluation.metrics) for t in scene.trials() if t.evaluation]
    assert any("latency_ms_phone" in metrics for metrics in timed)
    assert not any("latency_ms" in metrics for metrics in timed)


def test_a_driver_killed_between_evaluation_and_timing_loses_nothing() -> None:
    scene = Scene(a_timed_spec(*ON_BOTH, budget=Budget(trials=14)))
    for turn in range(200):  # drivers that die after a few steps each, wherever they are
        scene.clock.sleep(20.0)
        loop = scene.started()
        for _ in range(4 + turn % 5):
            if loop.tick() is SearchStatus.COMPLETED:
                break
        if scene.search.status is SearchStatus.COMPLETED:
            break
    check_timed(scene)
    assert scene.evaluations == len([t for t in scene.trials() if not t.is_screened])


def test_failing_timings_are_tried_again_and_cost_no_evaluation() -> None:
    scene = Scene(a_timed_spec(*ON_BOTH, budget=Budget(trials=14), max_attempts=20))
    scene.loop(LossyBackend(scene.workspace, scene.executor, every=3)).run()
    check_timed(scene)


def test_the_front_of_a_bound_on_latency_still_trades_against_fidelity() -> None:
    assert axes(a_timed_spec(*ON_BOTH).problem) == ("params", "noise_mse")
    assert axes(a_spec(latency=TWO, constraints=ON_BOTH[:1]).problem) == ("params", "latency_ms")


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
