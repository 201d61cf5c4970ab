"""A search from its spec to its front: what is done, in which order, and what is never done twice."""

from __future__ import annotations

import json

import pytest

from nas.domain.lifecycle import SearchStatus, TrialStatus
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import Budget, LatencySpec
from nas.engine import front_phase
from nas.engine.front import front
from nas.engine.jobs import network_latency
from tests.fakes.backends import LossyBackend, SilentBackend
from tests.nas.engine.scene import DISTILLED, SPACE, Scene, a_spec, answer_all, tick_until


def test_a_search_runs_from_its_spec_to_its_end() -> None:
    scene = Scene()
    assert scene.loop().run() is SearchStatus.COMPLETED
    assert scene.executor.kinds == {"capture": 1, "floor": 1, "distill": DISTILLED, "evaluate": 6}
    assert not scene.workspace.journal.recalled.total()
    assert [trial.number for trial in scene.trials()] == list(range(6))
    assert {trial.status for trial in scene.trials()} == {TrialStatus.COMPLETED}
    assert set(scene.trials()[0].evaluation.metrics) >= {"noise_mse", "params", "gmacs"}
    assert [facts["status"] for facts in scene.facts("search")] == ["preparing", "running", "draining", "completed"]


def test_features_come_first_and_latencies_last() -> None:
    scene = Scene(a_spec(latency=LatencySpec(measure_front=False)))
    scene.loop().run()
    kinds = [job.payload.kind for job in scene.executor.order]
    assert kinds[0] == "capture"
    first_latency = kinds.index("measure_block")
    assert set(kinds[1:first_latency]) == {"floor", "distill"}
    assert kinds.count("measure_block") == DISTILLED + 1
    assert "table_latency_ms" in scene.trials()[0].evaluation.metrics


def test_latencies_are_taken_one_by_one_on_a_quiet_machine() -> None:
    scene = Scene(a_spec(latency=LatencySpec(measure_front=False), parallelism=8))
    backend = LossyBackend(scene.workspace, scene.executor)
    loop = scene.started(backend)
    most = {"distill": 0, "measure_block": 0}
    while loop.tick() in (SearchStatus.CREATED, SearchStatus.PREPARING):
        kinds = [job.payload.kind for job in backend._queue.values()]
        for kind in most:
            most[kind] = max(most[kind], kinds.count(kind))
        assert "measure_block" not in kinds or len(kinds) == 1
    assert most == {"distill": 8, "measure_block": 1}


def test_a_second_search_finds_what_the_first_one_made() -> None:
    scene = Scene()
    scene.loop().run()
    again = scene.search.evolve(id="beta", status=SearchStatus.CREATED)
    scene.add(again)
    before = scene.executor.kinds.copy()
    assert scene.loop(search_id="beta").run() is SearchStatus.COMPLETED
    assert scene.executor.kinds - before == {"capture": 1}
    assert [facts["how"] for facts in scene.facts("trial") if "how" in facts][-6:] == ["known"] * 6


def test_never_more_jobs_are_under_way_than_asked_for() -> None:
    scene = Scene(a_spec(parallelism=3))
    backend = SilentBackend()
    loop = scene.started(backend)
    for _ in range(10):
        loop.tick()
    assert [job.payload.kind for job in backend.jobs.values()] == ["capture"]
    answer_all(backend, scene)
    for _ in range(10):
        loop.tick()
    assert [job.payload.kind for job in backend.jobs.values()] == ["floor", "distill", "distill"]


def test_a_candidate_that_breaks_an_exact_bound_costs_nothing() -> None:
    bound = OutcomeConstraint(metric="params", at_most=47_000.0)
    scene = Scene(a_spec(constraints=(bound,), budget=Budget(trials=27)))
    assert scene.loop().run() is SearchStatus.COMPLETED
    screened = [trial for trial in scene.trials() if "noise_mse" not in trial.evaluation.metrics]
    assert {t.number for t in screened} == {
        t.number for t in scene.trials() if t.evaluation.metrics["params"].mean > bound.at_most
    }
    assert 0 < len(screened) < 27
    assert scene.evaluations == 27 - len(screened)
    assert all(not trial.attempts for trial in screened)


def test_a_bound_that_nothing_can_meet_fails_with_the_tightest_value() -> None:
    scene = Scene(a_spec(constraints=(OutcomeConstraint(metric="params", at_most=10.0),)))
    assert scene.loop().run() is SearchStatus.FAILED
    failure = scene.search.failure
    assert failure.code == "infeasible_spec"
    assert "tightest attainable value is" in failure.message
    assert scene.evaluations == 0


def test_a_space_that_is_exhausted_ends_the_search() -> None:
    scene = Scene(a_spec(budget=Budget(trials=100)))
    assert scene.loop().run() is SearchStatus.COMPLETED
    assert len(scene.trials()) == SPACE.size == scene.evaluations


def test_the_strategy_hears_of_every_trial_without_a_verdict() -> None:
    scene = Scene(a_spec(parallelism=3, budget=Budget(trials=9), max_attempts=10))
    scene.loop(LossyBackend(scene.workspace, scene.executor, every=3)).run()
    histories = scene.strategies[0].histories
    assert any(pending for _, pending in histories)
    assert [finished + pending for finished, pending in histories] == sorted(sum(pair) for pair in histories)
    digests = [trial.architecture.digest for trial in scene.trials()]
    assert len(set(digests)) == 9


def test_the_networks_of_the_front_are_timed_at_the_end() -> None:
    latency = LatencySpec()
    scene = Scene(a_spec(latency=latency, objectives=("params", "noise_mse")))
    assert scene.loop().run() is SearchStatus.COMPLETED
    timed = {facts["number"] for facts in scene.facts("latency")}
    assert len(timed) == scene.executor.kinds["measure_network"] > 1
    with scene.database.reader() as uow:
        known = {t.number: network_latency(uow.library, scene.spec, latency, t.architecture) for t in scene.trials()}
    assert {number for number, measured in known.items() if measured} == timed


@pytest.mark.parametrize("page", [1, 2, 500])
def test_the_front_that_is_timed_does_not_depend_on_pages(page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_phase, "PAGE", page)
    latency = LatencySpec()
    scene = Scene(a_spec(latency=latency, objectives=("params", "noise_mse")))
    assert scene.loop().run() is SearchStatus.COMPLETED
    timed = {facts["number"] for facts in scene.facts("latency")}
    assert timed == {trial.number for trial in front(scene.trials(), scene.spec.problem)}


def test_the_observer_hears_what_the_event_log_holds() -> None:
    scene = Scene()
    scene.loop().run()
    with scene.database.reader() as uow:
        logged = uow.events.after("alpha", 0, 10_000)
    assert [(kind, json.loads(payload)["facts"]) for _, kind, payload, _ in logged] == [
        (event.kind, dict(event.facts)) for event in scene.events
    ]
    library = scene.facts("library")
    assert library[-1]["done"] == library[-1]["total"] == DISTILLED + 2


def test_a_moved_bound_reaches_a_new_strategy() -> None:
    scene = Scene()
    loop = scene.started()
    tick_until(loop, SearchStatus.RUNNING)
    loop.tick()
    with scene.database.unit_of_work() as uow:
        search = uow.searches.get("alpha")
        moved = search.problem.evolve(constraints=(OutcomeConstraint(metric="noise_mse", at_most=0.5),))
        uow.searches.add_bounds("alpha", moved, "somebody", 1.0)
        uow.commit()
    tick_until(loop, SearchStatus.COMPLETED)
    assert len(scene.strategies) == 2
    assert {trial.bounds_version for trial in scene.trials()} == {0, 1}
