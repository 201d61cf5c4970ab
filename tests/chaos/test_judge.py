"""The judge says nothing about sound evidence and notices every kind of corruption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nas.domain.architecture import Architecture
from nas.domain.job import Evaluation
from nas.domain.lifecycle import SearchStatus, TrialStatus
from nas.domain.metric import Measurement
from nas.domain.search import Search
from nas.domain.trial import Attempt, Trial
from nas.domain.value import FrozenDict
from tests.builders.tiny_unet import make_teacher
from tests.chaos.corruptions import CORRUPTIONS, overlooked
from tests.chaos.evidence import Acknowledged, Event, Evidence, JobLog, Story
from tests.chaos.invariants import judge
from tests.e2e.tiny import a_tiny_search

VARIANTS = ("teacher", "RA", "R", "narrow50")


def a_story(search: Search) -> Story:
    """Two evaluated trials; one that was screened and one that was stopped early, opened again by new bounds."""
    trials = tuple(_trial(search, number) for number in range(4))
    facts: list[tuple[str, dict[str, object]]] = [
        ("search", {"status": "preparing"}),
        ("library", {"job": "capture"}),
        ("search", {"status": "running"}),
    ]
    for trial in trials:
        steps = ["candidate", "running", "candidate", "running", "completed"]
        if trial.number >= 2:
            steps = ["candidate", "completed", *steps]
        for position, status in enumerate(steps):
            first = {2: {"how": "screened"}, 3: {"how": "stopped early", "share": 0.125}}.get(trial.number, {})
            how = first if position == 1 and first else {"how": "evaluated"}
            facts.append(
                ("trial", {"number": trial.number, "status": status, **(how if status == "completed" else {})})
            )
    facts += [("search", {"status": "draining"}), ("search", {"status": "completed"})]
    events = tuple(Event(number, kind, told, float(number)) for number, (kind, told) in enumerate(facts, start=1))
    return Story(search.evolve(status=SearchStatus.COMPLETED), trials, events)


def _trial(search: Search, number: int) -> Trial:
    value = Measurement(mean=0.1 * number, sem=0.0, samples=8)
    return Trial(
        search=search.id,
        number=number,
        architecture=Architecture(choices=FrozenDict({"E1": VARIANTS[number]})),
        status=TrialStatus.COMPLETED,
        attempts=(Attempt(started_at=1.0, ended_at=2.0),),
        evaluation=Evaluation(metrics=FrozenDict({"noise_mse": value})),
    )


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    teacher = make_teacher(tmp_path_factory.mktemp("judge") / "teacher")
    search = a_tiny_search("alpha", teacher, seed=1, trials=4, parallelism=1)
    story = a_story(search.evolve(problems=(search.problem, search.problem)))
    return Evidence(
        stories={search.id: story},
        tokens={search.id: 3},
        evaluations={(search.id, "k" * 64): 1},
        tries={(search.id, 0): 1, (search.id, 3): 2},
        acknowledged=Acknowledged({search.spec.name: search.id}, {search.id: 1}, {search.id: "run"}),
        heard={search.id: tuple(range(1, story.last_event + 1))},
    )


def test_sound_evidence_is_accepted(sound: Evidence) -> None:
    assert judge(Evidence(), sound) == []
    assert judge(sound, sound) == []


@pytest.mark.parametrize("corrupt", CORRUPTIONS, ids=lambda corrupt: corrupt.__name__)
def test_every_corruption_is_noticed(sound: Evidence, corrupt: Callable[[Evidence], Evidence]) -> None:
    broken = {violation.invariant for violation in judge(sound, corrupt(sound))}
    assert CORRUPTIONS[corrupt] in broken


def test_every_invariant_has_a_corruption_and_none_is_overlooked(sound: Evidence) -> None:
    assert overlooked(sound) == []
    assert set(CORRUPTIONS.values()) == {
        "evaluated once",
        "results kept",
        "budget exact",
        "log gapless",
        "steps legal",
        "fences grow",
        "submitted once",
        "promises kept",
        "streams whole",
        "no failure of ours",
    }


def test_a_trial_that_was_evaluated_may_not_be_opened_again(sound: Evidence) -> None:
    story = sound.stories["alpha"]
    late = Event(story.last_event + 1, "trial", {"number": 0, "status": "candidate"}, 99.0)
    reopened = replace(story, events=(*story.events, late))
    broken = judge(sound, replace(sound, stories={"alpha": reopened}))
    assert "trial 0 went from completed to candidate" in " ".join(violation.detail for violation in broken)


def test_a_trial_may_be_evaluated_as_often_as_bounds_opened_it_and_no_more(sound: Evidence) -> None:
    for number, most in ((0, 2), (3, 3)):  # once, and once for each time that it became a candidate again
        for times in (most, most + 1):
            broken = judge(Evidence(), replace(sound, tries={("alpha", number): times}))
            assert bool(broken) == (times > most)


def test_what_was_stopped_early_may_be_opened_again_and_what_was_not_may_not(sound: Evidence) -> None:
    story = sound.stories["alpha"]
    trial = story.trials[3]
    stopped = trial.evolve(evaluation=trial.evaluation.evolve(share=0.125))
    before = replace(sound, stories={"alpha": replace(story, trials=(*story.trials[:3], stopped))})
    assert judge(before, sound) == []
    assert "results kept" in {violation.invariant for violation in judge(sound, before)}


def test_job_lines_are_counted_once_across_rotation_and_torn_lines(tmp_path: Path) -> None:
    whose = '"kind": "evaluate", "search": "alpha", "trial": 5'
    line = '{{"event": "job finished", "job": "{}", ' + whose + ', "from_journal": {}}}\n'
    log = tmp_path / "worker-7.log"
    log.write_text(line.format("one", "false") + line.format("two", "true") + '{"event": "job fin')
    jobs = JobLog(tmp_path)
    jobs.follow()
    with log.open("a") as file:
        file.write('ished", "job": "three"\n' + line.format("four", "false"))
    log.rename(tmp_path / "worker-7.log.1")
    log.write_text(line.format("one", "false"))
    jobs.follow()
    jobs.follow()
    assert jobs.evaluations == {("alpha", "one"): 2, ("alpha", "four"): 1}
    assert jobs.tries == {("alpha", 5): 3}
    assert jobs.recalled == 1
