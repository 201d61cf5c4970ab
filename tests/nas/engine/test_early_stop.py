"""Evaluations that end early: what becomes of their trials when bounds move, and who may take their results."""

from __future__ import annotations

import pytest

from nas.domain.job import EvaluateArchitecture, Evaluation
from nas.domain.lifecycle import SearchStatus, TrialStatus
from nas.domain.objective import OutcomeConstraint, Problem
from nas.domain.search import Budget, FidelityProtocol, Search
from nas.engine.front import best, front
from nas.engine.known import keep_evaluation, known_evaluation
from tests.fakes.backends import SilentBackend
from tests.fakes.executor import noise_mse
from tests.nas.engine.scene import SPACE, Scene, a_spec, answer_all, tick_until

LIMIT = 0.08


def at_most(value: float, metric: str = "noise_mse") -> OutcomeConstraint:
    return OutcomeConstraint(metric=metric, at_most=value)


def a_scene(limit: float = LIMIT, **changes: object) -> Scene:
    return Scene(a_spec(constraints=(at_most(limit),), budget=Budget(trials=27), **changes))


def stopped(scene: Scene) -> set[int]:
    return {trial.number for trial in scene.trials() if trial.is_partial}


def clearly_beyond(limit: float) -> set[str]:
    shapes = [SPACE.decode((a, b, c)) for a in range(3) for b in range(3) for c in range(3)]
    return {shape.digest for shape in shapes if noise_mse(shape.choices) * 0.97 > limit}


def digests(scene: Scene, numbers: set[int]) -> set[str]:
    return {trial.architecture.digest for trial in scene.trials() if trial.number in numbers}


def test_exactly_what_is_clearly_beyond_is_stopped_and_it_wins_nothing() -> None:
    scene = a_scene()
    assert scene.loop().run() is SearchStatus.COMPLETED
    expected = clearly_beyond(LIMIT)
    assert 0 < len(expected) < 27
    assert digests(scene, stopped(scene)) == expected
    problem = scene.search.problem
    on_front = {trial.number for trial in front(scene.trials(), problem)}
    for anything in (problem, Problem(constraints=(at_most(0.9),)), Problem(objectives=("params", "gmacs"))):
        assert not {trial.number for trial in front(scene.trials(), anything)} & stopped(scene)
        assert not best(scene.trials(), anything).is_partial
        assert not any(trial.is_feasible(anything) for trial in scene.trials() if trial.is_partial)
    assert on_front
    for facts in scene.facts("trial"):
        if facts["status"] == "completed":
            is_cut = facts["number"] in stopped(scene)
            assert facts["how"] == ("stopped early" if is_cut else "evaluated")
            assert facts.get("share") == (0.125 if is_cut else None)


def test_nothing_is_stopped_when_the_spec_says_so() -> None:
    fidelity = FidelityProtocol(metrics=("noise_mse",), stop_early=False)
    scene = a_scene(fidelity=fidelity)
    scene.loop().run()
    assert not stopped(scene)
    assert all(not job.payload.stop_beyond for job in evaluations(scene))


def evaluations(scene: Scene) -> list[object]:
    return [job for job in scene.executor.order if isinstance(job.payload, EvaluateArchitecture)]


def test_looser_bounds_open_again_what_they_no_longer_rule_out_and_nothing_else() -> None:
    scene = a_scene()
    loop = scene.started()
    while len(scene.trials()) < 20:
        loop.tick()
    before = stopped(scene)
    scene.move_bounds(at_most(0.11))
    tick_until(loop, SearchStatus.COMPLETED)
    expected = clearly_beyond(0.11)
    assert digests(scene, stopped(scene)) == expected
    reopened = [facts["number"] for facts in scene.facts("trial") if facts.get("how") == "reopened"]
    assert sorted(reopened) == sorted(number for number in before if not digests(scene, {number}) <= expected)
    assert 0 < len(reopened) < len(before)
    for trial in scene.trials():
        assert trial.status is TrialStatus.COMPLETED
        assert trial.is_partial or trial.evaluation.metrics["noise_mse"].sem == 0


def test_tighter_bounds_leave_every_verdict_alone() -> None:
    scene = a_scene()
    loop = scene.started()
    while len(scene.trials()) < 20:
        loop.tick()
    before = {trial.number: trial for trial in scene.trials(TrialStatus.COMPLETED)}
    scene.move_bounds(at_most(0.02))
    tick_until(loop, SearchStatus.COMPLETED)
    after = {trial.number: trial for trial in scene.trials()}
    assert all(after[number] == trial for number, trial in before.items())


@pytest.mark.parametrize("bounds", [(), (at_most(40_000.0, "params"),)])
def test_without_the_bound_nothing_stays_stopped_that_no_exact_bound_rules_out(
    bounds: tuple[OutcomeConstraint, ...],
) -> None:
    scene = a_scene()
    loop = scene.started()
    while len(scene.trials()) < 20:
        loop.tick()
    assert stopped(scene)
    loop.stop()
    scene.move_bounds(*bounds)
    assert scene.loop().run() is SearchStatus.COMPLETED
    for trial in scene.trials():
        is_too_large = bool(bounds) and trial.evaluation.metrics["params"].mean > 40_000.0
        assert is_too_large or trial.is_judged
        assert not trial.is_partial or is_too_large


def test_what_was_stopped_at_bounds_that_moved_meanwhile_is_evaluated_again() -> None:
    scene = a_scene(parallelism=2)
    backend = SilentBackend()
    loop = scene.started(backend)
    for _ in range(200):
        loop.tick()
        if backend.jobs and all(job.trial >= 0 for job in backend.jobs.values()):
            hopeless = [
                job for job in backend.jobs.values() if noise_mse(job.payload.architecture.choices) * 0.97 > LIMIT
            ]
            if hopeless:
                break
        answer_all(backend, scene)
    (job, *_) = hopeless
    assert job.payload.stop_beyond == {"noise_mse": LIMIT}
    scene.move_bounds(at_most(0.9))
    answer_all(backend, scene)
    tick_until_verdict(loop, scene, backend, job.trial)
    trial = scene.trials()[job.trial]
    assert trial.status is TrialStatus.COMPLETED
    assert not trial.is_partial
    assert len(trial.attempts) == 2
    assert not any(attempt.failure for attempt in trial.attempts)
    told = [facts.get("how") for facts in scene.facts("trial") if facts["number"] == job.trial]
    assert [how for how in told if how] == ["overtaken", "evaluated"]


def tick_until_verdict(loop: object, scene: Scene, backend: SilentBackend, number: int) -> None:
    for _ in range(20):
        loop.tick()
        if scene.trials()[number].status.is_terminal:
            return
        answer_all(backend, scene)


def second(scene: Scene, limit: float) -> list[dict[str, object]]:
    """Run another search with another bound on the same library; what its trials' events tell."""
    spec = a_spec(constraints=(at_most(limit),), budget=Budget(trials=27))
    scene.add(Search(id="beta", spec=spec, space=SPACE, problems=(spec.problem,)))
    scene.events.clear()
    assert scene.loop(search_id="beta").run() is SearchStatus.COMPLETED
    return [facts for facts in scene.facts("trial") if facts["status"] == "completed"]


def beta(scene: Scene) -> dict[str, Evaluation]:
    with scene.database.reader() as uow:
        return {trial.architecture.digest: trial.evaluation for trial in uow.trials.of_search("beta")}


def test_a_tighter_search_takes_everything_that_a_looser_one_has_found() -> None:
    scene = a_scene()
    scene.loop().run()
    spent = scene.evaluations
    told = second(scene, 0.05)
    assert scene.evaluations == spent
    assert {facts["how"] for facts in told} == {"known"}
    assert {digest for digest, found in beta(scene).items() if found.is_partial} == clearly_beyond(LIMIT)


def test_a_looser_search_takes_whole_results_and_what_it_would_have_stopped_itself() -> None:
    scene = a_scene()
    scene.loop().run()
    spent = scene.evaluations
    told = second(scene, 0.11)
    again = clearly_beyond(LIMIT) - clearly_beyond(0.11)
    assert scene.evaluations - spent == len(again) > 0
    assert sum(facts["how"] == "evaluated" for facts in told) == len(again)
    assert {digest for digest, found in beta(scene).items() if found.is_partial} == clearly_beyond(0.11)
    whole = {digest: found.metrics["noise_mse"].mean for digest, found in beta(scene).items() if not found.is_partial}
    shapes = {trial.architecture.digest: trial.architecture for trial in scene.trials()}
    assert whole == pytest.approx({digest: noise_mse(shapes[digest].choices) for digest in whole}, rel=1e-12)


def test_a_search_that_wants_whole_evaluations_takes_no_stopped_one() -> None:
    scene = a_scene()
    scene.loop().run()
    spec = a_spec(
        constraints=(at_most(LIMIT),),
        budget=Budget(trials=27),
        fidelity=a_spec().fidelity.evolve(stop_early=False),
    )
    spent = scene.evaluations
    scene.add(Search(id="beta", spec=spec, space=SPACE, problems=(spec.problem,)))
    scene.loop(search_id="beta").run()
    assert not any(found.is_partial for found in beta(scene).values())
    assert scene.evaluations - spent == len(clearly_beyond(LIMIT))


def test_a_stopped_result_never_takes_the_place_of_a_whole_one() -> None:
    scene = a_scene()
    scene.loop().run()
    jobs = [job for job in evaluations(scene) if noise_mse(job.payload.architecture.choices) * 0.97 > LIMIT]
    payload = jobs[0].payload
    with scene.database.unit_of_work() as uow:
        rough = known_evaluation(uow.evaluations, payload)
        assert rough.is_partial
        assert known_evaluation(uow.evaluations, payload.whole) is None
        whole = Evaluation(metrics=rough.metrics)
        keep_evaluation(uow.evaluations, payload, whole)
        keep_evaluation(uow.evaluations, payload, rough)
        assert known_evaluation(uow.evaluations, payload) == known_evaluation(uow.evaluations, payload.whole) == whole
