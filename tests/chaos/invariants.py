"""What must be true at every moment, whatever was killed: judged from evidence alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from nas.domain.lifecycle import SEARCH_STEPS, TRIAL_STEPS, Intent, SearchStatus, TrialStatus
from nas.domain.trial import Trial
from tests.chaos.evidence import Event, Evidence, Story


@dataclass(frozen=True)
class Violation:
    """A broken promise.

    Attributes:
        invariant: Which one, by the name in docs/chaos.md.
        subject: Id of the search or name of the lease.
        detail: What was seen.
    """

    invariant: str
    subject: str
    detail: str


TRANSIENT_ENDS = ("worker_lost", "node_lost", "connection_lost", "timeout", "disk_full", "disk_error", "transient")
"""Codes with which a search of few attempts may fail under faults; anything else is our own mistake."""

Judge = Callable[[Evidence, Evidence], Iterator[Violation]]


def judge(before: Evidence, now: Evidence) -> list[Violation]:
    """Everything broken in `now`, given what stood `before`."""
    return [violation for invariant in INVARIANTS for violation in invariant(before, now)]


def evaluated_once(before: Evidence, now: Evidence) -> Iterator[Violation]:
    """No architecture is evaluated twice within a search, unless bounds that moved opened it again."""
    for (search, key), times in now.evaluations.items():
        if times > max(1, before.evaluations.get((search, key), 0)):
            yield Violation("evaluated once", search, f"{key[:12]} was evaluated {times} times")
    for (search, number), times in now.tries.items():
        story = now.stories.get(search)
        if story is not None and times > max(1 + _chances(story, number), before.tries.get((search, number), 0)):
            yield Violation("evaluated once", search, f"trial {number} was evaluated {times} times")
    for search_id, story in now.stories.items():
        digests = [trial.architecture.digest for trial in story.trials]
        if len(set(digests)) < len(digests):
            yield Violation("evaluated once", search_id, "two trials have one architecture")


def results_kept(before: Evidence, now: Evidence) -> Iterator[Violation]:
    """What was accepted stays: searches, evaluations, exactly as they were."""
    for search_id, story in before.stories.items():
        after = now.stories.get(search_id)
        if after is None:
            yield Violation("results kept", search_id, "the search is gone")
            continue
        trials = {trial.number: trial for trial in after.trials}
        for trial in story.trials:
            if not _is_kept(trial, trials.get(trial.number), story.search.spec.fidelity.metrics):
                yield Violation("results kept", search_id, f"trial {trial.number} was {_told(trial)} before")


def budget_exact(before: Evidence, now: Evidence) -> Iterator[Violation]:
    """Never more trials than the budget, numbered without gaps; all of them when the search completed."""
    del before
    for search_id, story in now.stories.items():
        budget, numbers = story.search.spec.budget.trials, [trial.number for trial in story.trials]
        if numbers != list(range(len(numbers))):
            yield Violation("budget exact", search_id, f"the trials are numbered {numbers}")
        wanted = min(budget, story.search.space.size)
        if len(numbers) > budget or (story.search.status is SearchStatus.COMPLETED and len(numbers) != wanted):
            yield Violation("budget exact", search_id, f"{len(numbers)} trials for a budget of {budget}")


def log_gapless(before: Evidence, now: Evidence) -> Iterator[Violation]:
    """Event ids are 1, 2, 3, ...; what was read once stays as it was."""
    for search_id, story in now.stories.items():
        ids = [event.id for event in story.events]
        if ids != list(range(1, len(ids) + 1)):
            missing = sorted(set(range(1, max(ids, default=0) + 1)) - set(ids))
            yield Violation("log gapless", search_id, f"events {missing or ids} are missing or out of order")
        known = before.stories[search_id].events if search_id in before.stories else ()
        if story.events[: len(known)] != known:
            yield Violation("log gapless", search_id, "an event that was read has changed or is gone")


def steps_legal(before: Evidence, now: Evidence) -> Iterator[Violation]:
    """The log tells only of steps that the lifecycles have, and ends where the rows stand."""
    del before
    for search_id, story in now.stories.items():
        yield from _search_steps(search_id, story)
        trials = {trial.number: trial for trial in story.trials}
        last: dict[int, Event] = {}
        for event in (event for event in story.events if event.kind == "trial"):
            number = int(event.facts["number"])
            if not _is_legal(last.get(number), event):
                came = last[number].facts["status"] if number in last else "nothing"
                detail = f"event {event.id}: trial {number} went from {came} to {event.facts['status']}"
                yield Violation("steps legal", search_id, detail)
            last[number] = event
        for number, trial in trials.items():
            told = last[number].facts["status"] if number in last else "nothing"
            if told != trial.status.value:
                detail = f"trial {number} is {trial.status.value}, the log says {told}"
                yield Violation("steps legal", search_id, detail)


def fences_grow(before: Evidence, now: Evidence) -> Iterator[Violation]:
    """A fencing token never becomes smaller, and its lease row never vanishes."""
    for name, token in before.tokens.items():
        after = now.tokens.get(name)
        if after is None or after < token:
            yield Violation("fences grow", name, f"the token was {token} and is {after}")


def submitted_once(before: Evidence, now: Evidence) -> Iterator[Violation]:
    """An accepted submission is one search, however often it was sent; another one is at most one."""
    del before
    by_name: dict[str, list[str]] = {}
    for search_id, story in now.stories.items():
        by_name.setdefault(story.search.spec.name, []).append(search_id)
    for name, ids in by_name.items():
        if len(ids) > 1:
            yield Violation("submitted once", name, f"submitted once, there are {sorted(ids)}")
    for name, search_id in now.acknowledged.searches.items():
        if search_id not in by_name.get(name, []):
            yield Violation("submitted once", search_id, f"{name} was accepted and is not there")


def promises_kept(before: Evidence, now: Evidence) -> Iterator[Violation]:
    """What a client was told is done is there: versions of bounds, intents."""
    del before
    for search_id, versions in now.acknowledged.bounds.items():
        stored = now.stories[search_id].search.problems if search_id in now.stories else ()
        if len(stored) < versions:
            yield Violation("promises kept", search_id, f"{versions} versions accepted, {len(stored)} are there")
    for search_id, intent in now.acknowledged.intents.items():
        if search_id in now.stories and now.stories[search_id].search.intent is not Intent(intent):
            yield Violation("promises kept", search_id, f"the intent {intent} was accepted and is not there")


def streams_whole(before: Evidence, now: Evidence) -> Iterator[Violation]:
    """A follower gets every event once and in order, across all its reconnections."""
    del before
    for search_id, ids in now.heard.items():
        last = now.stories[search_id].last_event if search_id in now.stories else 0
        if ids != tuple(range(1, len(ids) + 1)) or len(ids) > last:
            odd = next((pair for pair in pairwise(ids) if pair[1] != pair[0] + 1), ids[:1])
            yield Violation("streams whole", search_id, f"{len(ids)} events heard of {last}, among them {odd}")


def no_failure_of_ours(before: Evidence, now: Evidence) -> Iterator[Violation]:
    """A search does not fail of itself; one of two attempts may by faults of the machines."""
    del before
    for search_id, story in now.stories.items():
        failure = story.search.failure
        if story.search.status is not SearchStatus.FAILED:
            continue
        code = failure.code if failure else "no code"
        if story.search.spec.max_attempts > 2 or code not in TRANSIENT_ENDS:
            yield Violation("no failure of ours", search_id, f"{code}: {failure.message if failure else ''}")


INVARIANTS: tuple[Judge, ...] = (
    evaluated_once,
    results_kept,
    budget_exact,
    log_gapless,
    steps_legal,
    fences_grow,
    submitted_once,
    promises_kept,
    streams_whole,
    no_failure_of_ours,
)


def _is_kept(before: Trial, after: Trial | None, fidelity: tuple[str, ...]) -> bool:
    if after is None or after.architecture != before.architecture:
        return False
    if before.status is not TrialStatus.COMPLETED or before.evaluation is None:
        return True
    if not set(fidelity) <= set(before.evaluation.metrics) or before.is_partial:  # new bounds may open it again
        return True
    return after.status is TrialStatus.COMPLETED and after.evaluation == before.evaluation


def _told(trial: Trial) -> str:
    return f"{trial.status.value} with {sorted(trial.evaluation.metrics) if trial.evaluation else 'nothing'}"


def _search_steps(search_id: str, story: Story) -> Iterator[Violation]:
    status = SearchStatus.CREATED
    for event in story.events:
        if event.kind != "search":
            continue
        after = SearchStatus(event.facts["status"])
        if after not in SEARCH_STEPS[status]:
            detail = f"event {event.id}: the search went from {status.value} to {after.value}"
            yield Violation("steps legal", search_id, detail)
        status = after
    if status is not story.search.status:
        detail = f"the search is {story.search.status.value}, the log says {status.value}"
        yield Violation("steps legal", search_id, detail)


def _is_legal(before: Event | None, after: Event) -> bool:
    status = TrialStatus(after.facts["status"])
    if before is None:
        return status is TrialStatus.CANDIDATE
    if before.facts["status"] == "completed":
        is_provisional = before.facts.get("how") == "screened" or before.facts.get("share", 1.0) < 1
        return status is TrialStatus.CANDIDATE and is_provisional
    return status in TRIAL_STEPS[TrialStatus(before.facts["status"])]


def _chances(story: Story, number: int) -> int:
    """How often a trial got another limit for its evaluation; never under one version of the bounds."""
    if not story.search.bounds_version:
        return 0
    told = [event.facts for event in story.events if event.kind == "trial" and event.facts["number"] == number]
    return sum(facts["status"] == "candidate" for facts in told) - 1
