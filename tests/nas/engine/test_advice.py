"""What proposes may take its time: meanwhile answers are recorded, and in the end the same trials come out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nas.domain.architecture import Architecture
from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import Budget, Search
from nas.engine.advice import Advice, Adviser, Lapse
from nas.engine.archive import Archive
from nas.engine.loop import SearchLoop
from tests.fakes.backends import SilentBackend
from tests.fakes.strategy import InOrder, InOrderSuggestion
from tests.nas.engine.scene import Scene, a_spec, answer_all, tick_until

LAPSE = Lapse("deadline", 10.0, "No suggestion within 10 s.")


class Slow(Adviser):
    """Answers when it has been looked at often enough, or when it is told to fall back."""

    def __init__(self, search: Search, costs: object, looks: int = 3) -> None:
        self.strategy = InOrder(search, costs)
        self.looks = looks
        self.questions: list[tuple[int, int, int]] = []
        self.is_late = False
        self.is_closed = False
        self._looked = 0

    def ask(self, verdicts: Archive, pending: Sequence[Architecture], count: int) -> None:
        self.questions.append((len(verdicts), len(pending), count))
        self.strategy.tell(verdicts.trials(), pending)
        self._looked = 0

    def has_answered(self, *, is_urgent: bool) -> bool:
        self._looked += 1
        return self._looked > self.looks or (self.is_late and is_urgent)

    def answer(self) -> Advice:
        count = self.questions[-1][2]
        if not self.is_late:
            return Advice(self.strategy.suggest(count))
        fall_back = [InOrderSuggestion(one.architecture, "fall-back") for one in self.strategy.suggest(count)]
        return Advice(fall_back, LAPSE)

    def close(self) -> None:
        self.is_closed = True


class Thinking(Scene):
    """A scene whose strategies take their time."""

    looks = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        self.advisers: list[Slow] = []
        self.make_strategy = self.think

    def think(self, search: Search, costs: object) -> Slow:
        self.advisers.append(Slow(search, costs, self.looks))
        return self.advisers[-1]


def thinking(looks: int = 3, **changes: object) -> Thinking:
    scene = Thinking(a_spec(**changes))
    scene.looks = looks
    return scene


def under_way(scene: Thinking, backend: SilentBackend) -> SearchLoop:
    """A loop that has just put its second question, while a trial is on a worker."""
    loop = scene.started(backend)
    tick(loop, scene, backend, lambda: bool(scene.trials(TrialStatus.RUNNING)))
    first = next(key for key, job in backend.jobs.items() if job.trial == 0)
    answer_all(backend, scene)
    backend.answers = [one for one in backend.answers if one.key == first]
    scene.advisers[-1].looks = 10**9
    loop.tick()
    assert len(scene.advisers[-1].questions) == 2
    return loop


def tick(loop: SearchLoop, scene: Thinking, backend: SilentBackend, done: Callable[[], bool]) -> None:
    for _ in range(500):
        if done():
            return
        answer_all(backend, scene)
        loop.tick()
    raise AssertionError("never done")


def test_with_one_worker_trials_are_the_same_however_long_suggestions_take() -> None:
    quick = Scene(a_spec(parallelism=1, budget=Budget(trials=9)))
    slow = thinking(7, parallelism=1, budget=Budget(trials=9))
    for scene in (quick, slow):
        assert scene.loop().run() is SearchStatus.COMPLETED
    assert [one.architecture for one in slow.trials()] == [one.architecture for one in quick.trials()]
    assert slow.advisers[0].questions == [(n, 0, 1) for n in range(9)]


def test_answers_of_workers_are_recorded_while_a_suggestion_is_thought_about() -> None:
    scene, backend = thinking(parallelism=2), SilentBackend()
    loop = under_way(scene, backend)
    assert len(scene.trials(TrialStatus.RUNNING)) == 1
    answer_all(backend, scene)
    loop.tick()
    assert len(scene.trials(TrialStatus.COMPLETED)) == 2
    assert len(scene.advisers[-1].questions) == 2
    scene.advisers[-1].looks = 0
    loop.tick()
    assert len(scene.trials()) == 3


def test_a_driver_that_waits_for_jobs_hears_of_a_suggestion_at_once() -> None:
    scene, backend = thinking(parallelism=2), SilentBackend()
    loop = under_way(scene, backend)
    loop.tick()  # nothing new: from now on it waits
    scene.advisers[-1].looks = scene.advisers[-1]._looked + 5
    loop.tick()
    assert len(scene.trials()) == 3


def test_a_fall_back_is_told_and_its_trials_are_marked() -> None:
    scene, backend = thinking(parallelism=2), SilentBackend()
    loop = under_way(scene, backend)
    scene.advisers[-1].is_late = True
    loop.tick()
    assert scene.trials()[-1].origin == "fall-back"
    assert scene.facts("suggestion") == [
        {"reason": "deadline", "seconds": 10.0, "message": LAPSE.message, "trials": 1}
    ]


def test_nobody_falls_back_while_every_worker_has_something_to_do() -> None:
    scene = thinking(0, parallelism=2)
    backend = SilentBackend()
    loop = scene.started(backend)
    tick(loop, scene, backend, lambda: bool(scene.trials(TrialStatus.RUNNING)))
    phase = loop._trials
    phase._lookahead.note_evaluation(1.0)
    phase._lookahead.note_turnaround(2.0)  # a place at the door is free
    scene.advisers[-1].looks, scene.advisers[-1].is_late = 10**9, True
    for _ in range(3):
        backend.answers = []
        loop.tick()
    assert len(scene.advisers[-1].questions) == 2
    assert scene.facts("suggestion") == []


def test_a_fall_back_without_an_idea_does_not_end_the_search() -> None:
    scene = thinking(parallelism=1)
    loop = scene.started()
    tick_until(loop, SearchStatus.RUNNING)
    while not scene.advisers:
        loop.tick()
    (adviser,) = scene.advisers
    adviser.is_late = True
    suggest, adviser.strategy.suggest = adviser.strategy.suggest, lambda count: []
    loop.tick()
    loop.tick()
    assert scene.facts("suggestion")[0]["trials"] == 0
    adviser.is_late, adviser.strategy.suggest = False, suggest
    loop.stop()
    assert scene.loop().run() is SearchStatus.COMPLETED
    assert len(scene.trials()) == 6


def test_new_bounds_withdraw_the_question() -> None:
    scene, backend = thinking(parallelism=2), SilentBackend()
    loop = under_way(scene, backend)
    old = scene.advisers[-1]
    scene.move_bounds(OutcomeConstraint(metric="noise_mse", at_most=0.5))
    loop.tick()
    assert old.is_closed
    assert scene.advisers[-1] is not old
    assert len(scene.advisers[-1].questions) == 1


def test_rows_that_are_read_again_are_told_to_a_new_strategy() -> None:
    scene, backend = thinking(parallelism=2), SilentBackend()
    loop = under_way(scene, backend)
    old = scene.advisers[-1]
    loop.recover()
    answer_all(backend, scene)
    loop.tick()
    assert old.is_closed
    assert scene.advisers[-1].questions[0] == (2, 0, 2)


def test_a_pause_does_not_wait_for_a_suggestion() -> None:
    scene, backend = thinking(parallelism=2), SilentBackend()
    loop = under_way(scene, backend)
    scene.intend(Intent.PAUSE)
    answer_all(backend, scene)
    tick_until(loop, SearchStatus.PAUSED, most=5)
    loop.stop()
    assert scene.advisers[-1].is_closed
