"""Suggestions at arm's length: whatever becomes of the process, a search gets an answer, and the right one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nas.domain.architecture import Architecture
from nas.domain.lifecycle import TrialStatus
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.engine.advice import Advice
from nas.engine.archive import Archive
from nas.errors import InfeasibleSpec
from tests.fakes.strategy import InOrder, InOrderSuggestion
from tests.nas.engine.scene import SPACE, a_spec
from tests.waiting import until
from tests.workers.thoughts import COSTS, PLACE, load_nothing, make_thoughtful
from workers import suggester as module
from workers.suggester import Suggester
from workers.suggester_adviser import FALL_BACK, RemoteAdviser

pytestmark = pytest.mark.timeout(300)

PATIENCE_S = 120.0
EVERYTHING = [SPACE.decode(indices) for indices in SPACE.indices()]


class Backwards(InOrder):
    """A fall-back that is easily told from the strategy."""

    def suggest(self, count: int) -> list[InOrderSuggestion]:
        fresh = [one for one in reversed(EVERYTHING) if one.digest not in self.seen]
        return [InOrderSuggestion(one) for one in fresh[:count]]


class Desk:
    """A suggester, the folder that directs its strategies, and one search's history."""

    def __init__(self, folder: Path, **given: float) -> None:
        self.folder = folder
        self.suggester = Suggester(make_thoughtful, load_nothing, **{"deadline_s": 60.0, **given})
        self.history = Archive()
        self.adviser = self.open("alpha")

    def open(self, name: str) -> RemoteAdviser:
        spec = a_spec()
        search = Search(id=name, spec=spec, space=SPACE, problems=(spec.problem,))
        return RemoteAdviser(self.suggester, search, COSTS, Backwards)

    def ask(self, count: int = 1, pending: tuple[Architecture, ...] = ()) -> None:
        self.adviser.ask(self.history, pending, count)

    def wait(self, adviser: RemoteAdviser | None = None, *, is_urgent: bool = True) -> Advice:
        adviser = adviser or self.adviser
        until(lambda: adviser.has_answered(is_urgent=is_urgent), PATIENCE_S)
        return adviser.answer()

    def finish(self, *architectures: Architecture) -> None:
        for architecture in architectures:
            status = TrialStatus.ABANDONED
            number = len(self.history)
            self.history.add(Trial(search="alpha", number=number, architecture=architecture, status=status))

    def turn(self, count: int = 1) -> list[Architecture]:
        """Ask, and have what is proposed finished."""
        self.ask(count)
        advice = self.wait()
        assert advice.lapse is None
        proposed = [one.architecture for one in advice.suggestions]
        self.finish(*proposed)
        return proposed

    def say(self, what: str) -> None:
        (self.folder / what).touch()

    def unsay(self, what: str) -> None:
        (self.folder / what).unlink()

    def hold(self) -> int:
        """Ask for something that is thought about for as long as `hold` is there; returns the process's number."""
        self.say("hold")
        (self.folder / "begun").unlink(missing_ok=True)
        self.ask()
        until((self.folder / "begun").exists, PATIENCE_S)
        pid = self.suggester.process.pid
        assert pid is not None
        return pid


@pytest.fixture
def make_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Desk]]:
    monkeypatch.setenv(PLACE, str(tmp_path))
    desks: list[Desk] = []

    def make(**given: float) -> Desk:
        desks.append(Desk(tmp_path, **given))
        return desks[-1]

    yield make
    for desk in desks:
        (tmp_path / "hold").unlink(missing_ok=True)
        desk.suggester.close()
        assert desk.suggester.process.pid is None


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()


def test_answers_are_those_of_the_strategy_and_only_news_are_told(desk: Desk) -> None:
    assert [*desk.turn(2), *desk.turn(), *desk.turn(3)] == EVERYTHING[:6]
    told = desk.suggester._phrased  # what goes over the pipe is the point
    desk.ask()
    desk.wait()
    desk.finish(EVERYTHING[6])
    matter = desk.adviser._matter
    message = told(module.Question(matter, desk.history, len(desk.history), (), 1))
    assert len(message["verdicts"]) == 1
    assert "search" not in message


def test_a_question_does_not_hold_up_whoever_asks(desk: Desk) -> None:
    desk.hold()
    began = time.monotonic()
    assert not desk.adviser.has_answered(is_urgent=True)
    assert time.monotonic() - began < 0.5
    desk.unsay("hold")
    assert desk.wait().suggestions[0].architecture == EVERYTHING[0]


def test_after_the_deadline_a_fall_back_proposes_and_a_late_answer_is_dropped(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(deadline_s=0.5)
    desk.turn()
    desk.hold()
    advice = desk.wait()
    assert advice.lapse is not None
    assert advice.lapse.reason == "deadline"
    assert 0.5 <= advice.lapse.seconds < 30.0
    (fall_back,) = advice.suggestions
    assert (fall_back.architecture, fall_back.origin) == (EVERYTHING[-1], FALL_BACK)
    desk.finish(fall_back.architecture, EVERYTHING[1])
    desk.ask()
    desk.unsay("hold")
    assert desk.wait().suggestions[0].architecture == EVERYTHING[2]


def test_a_late_answer_counts_when_nothing_has_changed(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(deadline_s=0.5)
    desk.turn()
    desk.hold()
    assert desk.wait().lapse is not None
    desk.unsay("hold")
    (desk.folder / "begun").unlink()
    desk.ask()
    assert desk.wait().suggestions[0].architecture == EVERYTHING[1]
    assert not (desk.folder / "begun").exists(), "it was thought about again"


def test_nobody_falls_back_while_no_worker_idles(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(deadline_s=0.2)
    desk.turn()
    desk.hold()
    time.sleep(0.5)
    assert not desk.adviser.has_answered(is_urgent=False)
    desk.unsay("hold")
    assert desk.wait(is_urgent=False).lapse is None


def test_a_process_killed_in_the_middle_of_a_question_costs_nothing_but_time(desk: Desk) -> None:
    desk.turn(2)
    pid = desk.hold()
    os.kill(pid, signal.SIGKILL)
    desk.unsay("hold")
    advice = desk.wait()
    assert advice.lapse is None
    assert [one.architecture for one in advice.suggestions] == [EVERYTHING[2]]
    assert desk.suggester.process.pid != pid


def test_a_question_that_kills_every_process_is_given_up_and_the_next_one_is_answered(desk: Desk) -> None:
    desk.turn()
    desk.say("die always")
    desk.ask()
    advice = desk.wait()
    assert advice.lapse is not None
    assert advice.lapse.reason == "died"
    assert advice.suggestions[0].architecture == EVERYTHING[-1]
    desk.unsay("die always")
    desk.finish(EVERYTHING[-1])
    assert desk.turn() == [EVERYTHING[1]]


def test_a_process_that_stands_still_is_replaced(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SILENCE", 3)
    desk.turn()
    pid = desk.hold()
    os.kill(pid, signal.SIGSTOP)
    desk.unsay("hold")
    assert desk.wait().suggestions[0].architecture == EVERYTHING[1]
    assert desk.suggester.process.pid != pid


def test_a_thought_without_end_is_ended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.turn()
    monkeypatch.setattr(module, "LONGEST_THOUGHT_S", 2.0)
    desk.hold()
    advice = desk.wait()
    assert advice.lapse is not None
    assert advice.lapse.reason == "died"
    assert "takes longer" in advice.lapse.message


def test_a_bug_in_a_strategy_is_told_and_the_search_goes_on(desk: Desk) -> None:
    desk.say("stumble")
    desk.ask()
    advice = desk.wait()
    assert advice.lapse is not None
    assert (advice.lapse.reason, advice.lapse.message) == ("error", "ZeroDivisionError: a bug")
    assert advice.suggestions
    desk.unsay("stumble")
    assert desk.turn() == [EVERYTHING[0]]


def test_a_search_that_cannot_go_on_is_told_so_in_the_words_of_the_strategy(desk: Desk) -> None:
    desk.say("refuse")
    desk.ask()
    with pytest.raises(InfeasibleSpec, match=r"No such network\. Loosen the bound\."):
        desk.wait()


def test_a_process_that_grew_too_large_is_replaced_between_two_questions(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(most_memory_bytes=1.0)
    pids = set()
    for expected in EVERYTHING[:3]:
        desk.ask()
        until(lambda: desk.suggester.process.pid is not None, PATIENCE_S)
        advice = desk.wait()
        assert advice.lapse is None
        assert advice.suggestions[0].architecture == expected
        desk.finish(expected)
        pids.add(desk.suggester.process.pid)
    assert len(pids) == 3


def test_searches_are_answered_in_order_of_arrival(desk: Desk) -> None:
    others = [desk.open(f"other {number}") for number in range(3)]
    desk.hold()
    for other in others:
        other.ask(Archive(), [], 1)
    others[1].close()
    desk.unsay("hold")
    assert desk.wait(others[2]).suggestions
    assert desk.adviser.has_answered(is_urgent=False)
    assert others[0].has_answered(is_urgent=False)
    assert not others[1].has_answered(is_urgent=False)


def test_what_was_forgotten_is_told_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.turn(2)
    monkeypatch.setattr(module, "FORGET_AFTER_S", 0.0)
    until(lambda: desk.adviser._matter.told is None, PATIENCE_S)
    assert desk.turn() == [EVERYTHING[2]]


def test_a_strategy_that_stumbled_is_told_everything_again(desk: Desk) -> None:
    desk.turn(3)
    desk.say("stumble")
    desk.ask()
    assert desk.wait().lapse is not None
    assert desk.adviser._matter.told is None
    desk.unsay("stumble")
    assert desk.turn() == [EVERYTHING[3]]
