"""Questions to a process of its own: whatever becomes of it, who asks is told, and the next one gets an answer."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from nas.errors import Fault, InfeasibleSpec, SpecError, TransientError
from tests.waiting import until
from tests.workers.counsel import Counsel
from tests.workers.thoughts import PLACE
from workers import consultant as module
from workers.consultant import Consultant

pytestmark = pytest.mark.timeout(300)

PATIENCE_S = 120.0


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Consultant]]:
    monkeypatch.setenv(PLACE, str(tmp_path))
    made: list[Consultant] = []

    def make(**given: float) -> Consultant:
        made.append(Consultant(Counsel, **given))
        return made[-1]

    yield make
    for one in made:
        one.close()
        assert one.process is None


def test_one_process_answers_and_is_started_by_the_first_question(make: Callable[..., Consultant]) -> None:
    consultant = make()
    assert consultant.process is None
    answers = [consultant.ask({"number": number}) for number in range(3)]
    assert [answer["about"] for answer in answers] == [{"number": number} for number in range(3)]
    assert [answer["asked"] for answer in answers] == [1, 2, 3]
    assert {answer["pid"] for answer in answers} == {consultant.process and consultant.process.pid}


def test_a_process_that_nobody_asks_is_ended_and_started_again(make: Callable[..., Consultant]) -> None:
    consultant = make(idle_s=0.3)
    first = consultant.ask({})["pid"]
    until(lambda: consultant.process is None, PATIENCE_S)
    assert not psutil.pid_exists(first)
    assert consultant.ask({})["pid"] != first


def test_a_question_puts_bedtime_off(make: Callable[..., Consultant], tmp_path: Path) -> None:
    consultant = make(idle_s=0.5)
    first = consultant.ask({})["pid"]
    (tmp_path / "hold").touch()
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(consultant.ask({})["pid"]))
    asking.start()
    time.sleep(1.5)
    (tmp_path / "hold").unlink()
    asking.join(PATIENCE_S)
    assert answers == [first]


def test_it_may_die_between_two_questions_and_once_of_one(make: Callable[..., Consultant], tmp_path: Path) -> None:
    consultant = make()
    first = consultant.ask({})["pid"]
    os.kill(first, signal.SIGKILL)
    second = consultant.ask({})["pid"]
    (tmp_path / "die").touch()
    third = consultant.ask({})["pid"]
    assert len({first, second, third}) == 3


def test_who_asks_what_it_always_dies_of_is_told_so(make: Callable[..., Consultant], tmp_path: Path) -> None:
    consultant = make()
    (tmp_path / "die always").touch()
    with pytest.raises(TransientError, match="died of the question"):
        consultant.ask({})
    (tmp_path / "die always").unlink()
    assert consultant.ask({"after": 1})["about"] == {"after": 1}


def test_a_question_that_takes_too_long_costs_the_process_and_no_other_question(
    make: Callable[..., Consultant], tmp_path: Path
) -> None:
    consultant = make(longest_answer_s=1.0)
    first = consultant.ask({})["pid"]
    (tmp_path / "hold").touch()
    with pytest.raises(TransientError, match="takes longer than 1 s"):
        consultant.ask({})
    (tmp_path / "hold").unlink()
    assert consultant.ask({})["pid"] != first


def test_refusals_come_in_the_words_of_who_answers(make: Callable[..., Consultant], tmp_path: Path) -> None:
    consultant = make()
    (tmp_path / "refuse").touch()
    with pytest.raises(InfeasibleSpec, match=r"No such network\. Loosen the bound\."):
        consultant.ask({})
    (tmp_path / "refuse").unlink()
    (tmp_path / "faulty").touch()
    with pytest.raises(SpecError) as caught:
        consultant.ask({})
    assert caught.value.faults == (Fault("/latency", "needs a device", "cpu"),)
    (tmp_path / "faulty").unlink()
    (tmp_path / "stumble").touch()
    with pytest.raises(RuntimeError, match="a bug"):
        consultant.ask({})


def test_a_process_that_does_not_come_up_says_why(
    make: Callable[..., Consultant], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_START_S", 3.0)
    (tmp_path / "fail").touch()
    with pytest.raises(TransientError, match="no such module"):
        make().ask({})


def test_one_that_grew_too_large_is_ended_after_its_answer(make: Callable[..., Consultant]) -> None:
    consultant = make(most_memory_bytes=1.0)
    pids = {consultant.ask({})["pid"] for _ in range(2)}
    assert len(pids) == 2


def test_who_waits_while_it_is_closed_is_told_so(make: Callable[..., Consultant], tmp_path: Path) -> None:
    consultant = make()
    (tmp_path / "hold").touch()
    told: list[str] = []

    def ask() -> None:
        with pytest.raises(TransientError) as caught:
            consultant.ask({})
        told.append(caught.value.message)

    asking = threading.Thread(target=ask)
    asking.start()
    until((tmp_path / "begun").exists, PATIENCE_S)
    consultant.close()
    asking.join(PATIENCE_S)
    assert "being ended" in told[0]
