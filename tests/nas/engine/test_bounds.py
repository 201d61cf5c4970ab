"""Bounds that move while a search runs, and architectures it is given to begin with."""

from __future__ import annotations

import pytest

from nas.domain.architecture import Architecture
from nas.domain.lifecycle import SearchStatus, TrialStatus
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import Budget
from nas.domain.value import FrozenDict
from nas.engine.trial_phase import WARM_START
from nas.errors import IllegalTransition
from tests.nas.engine.scene import Scene, a_spec, tick_until

TIGHT = OutcomeConstraint(metric="params", at_most=45_000.0)


def a_tight_scene(**changes: object) -> Scene:
    return Scene(a_spec(constraints=(TIGHT,), budget=Budget(trials=27), **changes))


def test_screened_trials_get_another_chance_when_the_bounds_allow_them() -> None:
    scene = a_tight_scene()
    loop = scene.started()
    while len(scene.trials()) < 12:
        loop.tick()
    screened = {trial.number for trial in scene.trials() if trial.is_screened}
    assert screened
    scene.move_bounds()
    tick_until(loop, SearchStatus.COMPLETED)
    assert not any(trial.is_screened for trial in scene.trials())
    assert len(scene.trials()) == 27 == scene.executor.kinds["evaluate"]
    reopened = [facts["number"] for facts in scene.facts("trial") if facts.get("how") == "reopened"]
    assert set(reopened) == screened
    assert len(reopened) == len(screened)


def test_a_bound_that_still_rules_a_trial_out_leaves_it_alone() -> None:
    scene = a_tight_scene()
    loop = scene.started()
    while len(scene.trials()) < 12:
        loop.tick()
    scene.move_bounds(OutcomeConstraint(metric="params", at_most=47_000.0))
    tick_until(loop, SearchStatus.COMPLETED)
    for trial in scene.trials():
        assert trial.is_screened == (trial.evaluation.metrics["params"].mean > 47_000.0)


def test_bounds_that_moved_while_nobody_drove_are_heeded_by_the_next_driver() -> None:
    scene = a_tight_scene()
    loop = scene.started()
    while len(scene.trials()) < 12:
        loop.tick()
    loop.stop()
    scene.move_bounds()
    assert scene.loop().run() is SearchStatus.COMPLETED
    assert not any(trial.is_screened for trial in scene.trials())


def test_trials_tell_which_version_of_the_bounds_they_were_proposed_under() -> None:
    scene = Scene(a_spec(budget=Budget(trials=8), parallelism=1))
    loop = scene.started()
    while len(scene.trials()) < 4:
        loop.tick()
    scene.move_bounds(OutcomeConstraint(metric="noise_mse", at_most=0.5))
    tick_until(loop, SearchStatus.COMPLETED)
    versions = [trial.bounds_version for trial in scene.trials()]
    assert versions == sorted(versions)
    assert set(versions) == {0, 1}


def test_a_measured_trial_is_never_reopened() -> None:
    scene = Scene()
    scene.loop().run()
    with pytest.raises(IllegalTransition, match="measured"):
        scene.trials()[0].become(TrialStatus.CANDIDATE)


def test_new_bounds_that_nothing_can_meet_end_a_running_search_and_do_not_fail_it() -> None:
    scene = Scene(a_spec(budget=Budget(trials=27)))
    loop = scene.started()
    while len(scene.trials()) < 4:
        loop.tick()
    scene.move_bounds(OutcomeConstraint(metric="params", at_most=1.0))
    loop.stop()
    assert scene.loop().run() is SearchStatus.COMPLETED


def seeds(*choices: dict[str, str]) -> tuple[Architecture, ...]:
    return tuple(Architecture(choices=FrozenDict(one)) for one in choices)


def test_architectures_of_an_earlier_search_come_first() -> None:
    scene = Scene(seeds=seeds({"E1": "R"}, {"E2": "RA", "D1": "R"}))
    assert scene.loop().run() is SearchStatus.COMPLETED
    first, second, *others = scene.trials()
    assert [dict(trial.architecture.choices) for trial in (first, second)] == [{"E1": "R"}, {"E2": "RA", "D1": "R"}]
    assert [trial.origin for trial in (first, second)] == [WARM_START] * 2
    assert {trial.origin for trial in others} == {"in order"}
    assert len(scene.trials()) == scene.spec.budget.trials


def test_only_seeds_that_may_be_tried_are_tried_and_each_of_them_once() -> None:
    cheap = {"E1": "R", "E2": "R", "D1": "R"}
    bound = OutcomeConstraint(metric="params", at_most=45_000.0)
    given = seeds(cheap, {}, cheap, {"E9": "R"}, {"E1": "unheard of"})
    scene = Scene(a_spec(constraints=(bound,)), seeds=given)
    scene.loop().run()
    seeded = [dict(trial.architecture.choices) for trial in scene.trials() if trial.origin == WARM_START]
    assert seeded == [cheap]


def test_seeds_never_exceed_the_budget() -> None:
    scene = Scene(a_spec(budget=Budget(trials=2)), seeds=seeds({"E1": "R"}, {"E1": "RA"}, {"E2": "R"}))
    scene.loop().run()
    assert [trial.origin for trial in scene.trials()] == [WARM_START] * 2


def test_a_driver_that_died_among_the_seeds_does_not_repeat_them() -> None:
    scene = Scene(a_spec(parallelism=1), seeds=seeds({"E1": "R"}, {"E1": "RA"}, {"E2": "R"}))
    loop = scene.loop()
    loop.recover()
    while len(scene.trials()) < 2:
        loop.tick()
    scene.clock.sleep(60.0)
    assert scene.loop().run() is SearchStatus.COMPLETED
    assert [trial.origin for trial in scene.trials()] == [WARM_START] * 3 + ["in order"] * 3
