"""Broken evidence, one kind per invariant: proof that the judge can say no."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nas.domain.job import Failure
from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.trial import Trial
from tests.chaos.evidence import Event, Evidence, Story
from tests.chaos.invariants import judge


def evaluation_twice(evidence: Evidence) -> Evidence:
    """A worker's line stands in the log a second time."""
    key = min(evidence.evaluations)
    return replace(evidence, evaluations={**evidence.evaluations, key: evidence.evaluations[key] + 1})


def trial_twice(evidence: Evidence) -> Evidence:
    """A worker evaluated a trial again, under another limit, although no bound has moved."""
    tries = {place: times for place, times in evidence.tries.items() if place[0] in evidence.stories}
    search, number = min(tries)
    story = evidence.stories[search]
    unmoved = replace(story, search=story.search.evolve(problems=story.search.problems[:1]))
    return _with(replace(evidence, tries={**evidence.tries, (search, number): tries[search, number] + 1}), unmoved)


def architecture_twice(evidence: Evidence) -> Evidence:
    """Two trials have the same architecture."""
    story = _richest(evidence)
    first, second, *others = story.trials
    return _with(evidence, replace(story, trials=(first, second.evolve(architecture=first.architecture), *others)))


def search_lost(evidence: Evidence) -> Evidence:
    """A search is gone."""
    gone = _richest(evidence).search.id
    return replace(evidence, stories={name: story for name, story in evidence.stories.items() if name != gone})


def result_lost(evidence: Evidence) -> Evidence:
    """A completed trial lost its evaluation."""
    story, trial = _evaluated(evidence)
    return _with(evidence, _with_trial(story, trial.evolve(status=TrialStatus.CANDIDATE, evaluation=None)))


def result_changed(evidence: Evidence) -> Evidence:
    """A completed trial has another evaluation than before."""
    story, trial = _evaluated(evidence)
    assert trial.evaluation is not None
    name = min(trial.evaluation.metrics)
    value = trial.evaluation.metrics[name]
    metrics = {**trial.evaluation.metrics, name: replace(value, mean=value.mean + 1.0)}
    evaluation = trial.evaluation.evolve(metrics=type(trial.evaluation.metrics)(metrics))
    return _with(evidence, _with_trial(story, trial.evolve(evaluation=evaluation)))


def trial_too_many(evidence: Evidence) -> Evidence:
    """The budget is one less than what was tried."""
    story = _richest(evidence)
    budget = story.search.spec.budget.evolve(trials=len(story.trials) - 1)
    return _with(evidence, replace(story, search=story.search.evolve(spec=story.search.spec.evolve(budget=budget))))


def trial_missing(evidence: Evidence) -> Evidence:
    """The first trial is not there."""
    story = _richest(evidence)
    return _with(evidence, replace(story, trials=story.trials[1:]))


def event_missing(evidence: Evidence) -> Evidence:
    """One event was deleted."""
    story = _richest(evidence)
    middle = len(story.events) // 2
    return _with(evidence, replace(story, events=(*story.events[:middle], *story.events[middle + 1 :])))


def event_rewritten(evidence: Evidence) -> Evidence:
    """An event tells something else than before."""
    story = _richest(evidence)
    first, *others = story.events
    return _with(evidence, replace(story, events=(replace(first, facts={**first.facts, "by": "nobody"}), *others)))


def step_illegal(evidence: Evidence) -> Evidence:
    """A completed trial runs again, says the log."""
    story, trial = _evaluated(evidence)
    facts = {"number": trial.number, "status": TrialStatus.RUNNING.value}
    late = Event(story.last_event + 1, "trial", facts, story.events[-1].at)
    return _with(evidence, replace(story, events=(*story.events, late)))


def event_untold(evidence: Evidence) -> Evidence:
    """A row was written without its event."""
    story, trial = _evaluated(evidence)
    return _with(evidence, _with_trial(story, trial.evolve(status=TrialStatus.ABANDONED)))


def fence_lowered(evidence: Evidence) -> Evidence:
    """A fencing token became smaller."""
    name = min(evidence.tokens)
    return replace(evidence, tokens={**evidence.tokens, name: evidence.tokens[name] - 1})


def submitted_twice(evidence: Evidence) -> Evidence:
    """One submission made two searches."""
    story = _richest(evidence)
    twin = replace(story, search=story.search.evolve(id="twin"))
    return replace(evidence, stories={**evidence.stories, "twin": twin})


def submission_lost(evidence: Evidence) -> Evidence:
    """A search was accepted and is not there."""
    promised = evidence.acknowledged
    searches = {**promised.searches, "accepted": "nowhere"}
    return replace(evidence, acknowledged=replace(promised, searches=searches))


def bounds_lost(evidence: Evidence) -> Evidence:
    """A version of bounds was accepted and is not there."""
    promised = evidence.acknowledged
    search = _richest(evidence).search
    bounds = {**promised.bounds, search.id: len(search.problems) + 1}
    return replace(evidence, acknowledged=replace(promised, bounds=bounds))


def intent_lost(evidence: Evidence) -> Evidence:
    """A user's wish was accepted and something else stands there."""
    promised = evidence.acknowledged
    search = _richest(evidence).search
    other = "run" if search.intent is not Intent.RUN else "pause"
    return replace(evidence, acknowledged=replace(promised, intents={**promised.intents, search.id: other}))


def event_unheard(evidence: Evidence) -> Evidence:
    """A follower missed an event."""
    story = _richest(evidence)
    return replace(evidence, heard={**evidence.heard, story.search.id: (1, *range(3, story.last_event + 1))})


def event_heard_twice(evidence: Evidence) -> Evidence:
    """A follower was sent an event again."""
    story = _richest(evidence)
    return replace(evidence, heard={**evidence.heard, story.search.id: (1, 2, 2)})


def failed_by_us(evidence: Evidence) -> Evidence:
    """A search failed by a fault of the service's own."""
    story = _richest(evidence)
    failure = Failure(code="internal_error", message="It was us.", transient=False)
    return _with(evidence, replace(story, search=story.search.evolve(status=SearchStatus.FAILED, failure=failure)))


CORRUPTIONS: dict[Callable[[Evidence], Evidence], str] = {
    evaluation_twice: "evaluated once",
    trial_twice: "evaluated once",
    architecture_twice: "evaluated once",
    search_lost: "results kept",
    result_lost: "results kept",
    result_changed: "results kept",
    trial_too_many: "budget exact",
    trial_missing: "budget exact",
    event_missing: "log gapless",
    event_rewritten: "log gapless",
    step_illegal: "steps legal",
    event_untold: "steps legal",
    fence_lowered: "fences grow",
    submitted_twice: "submitted once",
    submission_lost: "submitted once",
    bounds_lost: "promises kept",
    intent_lost: "promises kept",
    event_unheard: "streams whole",
    event_heard_twice: "streams whole",
    failed_by_us: "no failure of ours",
}
"""Every corruption and the invariant that must notice it."""


def overlooked(evidence: Evidence) -> list[str]:
    """Names of the corruptions of a sound piece of evidence that the judge does not notice."""
    return [
        corrupt.__name__
        for corrupt, invariant in CORRUPTIONS.items()
        if invariant not in {violation.invariant for violation in judge(evidence, corrupt(evidence))}
    ]


def _richest(evidence: Evidence) -> Story:
    return max(evidence.stories.values(), key=lambda story: (len(story.trials), story.search.id))


def _evaluated(evidence: Evidence) -> tuple[Story, Trial]:
    for story in sorted(evidence.stories.values(), key=lambda story: story.search.id):
        wanted = set(story.search.spec.fidelity.metrics)
        for trial in story.trials:
            if trial.is_judged and trial.evaluation and wanted <= set(trial.evaluation.metrics):
                return story, trial
    raise LookupError("Nothing was evaluated yet.")


def _with(evidence: Evidence, story: Story) -> Evidence:
    return replace(evidence, stories={**evidence.stories, story.search.id: story})


def _with_trial(story: Story, trial: Trial) -> Story:
    trials = tuple(trial if one.number == trial.number else one for one in story.trials)
    return replace(story, trials=trials)
