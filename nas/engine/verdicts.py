"""Steps of one trial, as values: what it becomes, and why."""

from __future__ import annotations

from nas.domain.cost import ExactCosts
from nas.domain.job import Evaluation, Failure, Outcome
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import Measurement, is_exact
from nas.domain.objective import Problem
from nas.domain.search import Search
from nas.domain.stopping import is_ruled_out_early
from nas.domain.trial import Attempt, Trial
from nas.domain.value import FrozenDict

LOST_WEIGHTS = ("corrupt_artifact", "not_found")
"""Codes of failures that go away when the blocks are made again."""

HINDRANCES = ("disk_full",)
"""Codes of troubles that no job is to blame for: they cost patience, and no attempt."""
MOST_HINDRANCES = 100
"""About a quarter of an hour of a full disk; after that the job is given up."""
LONGEST_HINDRANCE_S = 10.0
"""Somebody made room: that should be noticed soon."""

FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 60.0


def backoff_s(failures: int) -> float:
    """Wait before the next attempt: 1 s after the first failure, doubling up to a minute."""
    if failures == 0:
        return 0.0
    return float(min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(failures - 1, 16)))


def wait_s(failure: Failure | None, failures: int) -> float:
    """Wait after a failure that was the n-th of its job; shorter when the job was only hindered."""
    longest = LONGEST_HINDRANCE_S if is_hindrance(failure) else LONGEST_BACKOFF_S
    return min(longest, backoff_s(failures))


def is_hindrance(failure: Failure | None) -> bool:
    """Whether the world was in the way, and not the job."""
    return failure is not None and failure.code in HINDRANCES


def is_last(failure: Failure, failures: int, hindrances: int, max_attempts: int) -> bool:
    """Whether a job is given up, after so many failures of its own and so many hindrances, this one included."""
    return hindrances >= MOST_HINDRANCES if is_hindrance(failure) else failures >= max_attempts


def failures_of(trial: Trial) -> int:
    """Attempts that count: those that failed. One that died with its coordinator or was hindered does not."""
    return sum(attempt.failure is not None and not is_hindrance(attempt.failure) for attempt in trial.attempts)


def ready_at(trial: Trial) -> float:
    """Unix time from which a candidate may be claimed."""
    last = trial.attempts[-1] if trial.attempts else None
    if last is None or last.ended_at is None:
        return 0.0
    troubles = sum(attempt.failure is not None for attempt in trial.attempts)
    return last.ended_at + wait_s(last.failure, troubles)


def claimed(trial: Trial, now: float) -> Trial:
    """A candidate that is handed to the workers."""
    return trial.become(TrialStatus.RUNNING, attempts=(*trial.attempts, Attempt(started_at=now)))


def recovered(trial: Trial) -> Trial:
    """A trial that ran under a dead coordinator, as a candidate; it costs no attempt."""
    return trial.become(TrialStatus.CANDIDATE)


def withdrawn(trial: Trial) -> Trial:
    """A claimed trial that no worker had begun, as a candidate; it never was an attempt."""
    return trial.become(TrialStatus.CANDIDATE, attempts=trial.attempts[:-1])


def reopened(trial: Trial) -> Trial:
    """A screened or stopped trial that the bounds no longer rule out, as a candidate."""
    return trial.become(TrialStatus.CANDIDATE, evaluation=None)


def may_reopen(trial: Trial, search: Search) -> bool:
    """Whether a trial that was screened or stopped early would be neither under the bounds in force."""
    if trial.is_settled or trial.evaluation is None or is_ruled_out(trial.evaluation.metrics, search.problem):
        return False
    return not is_ruled_out_early(trial.evaluation, search.stop_beyond)


def is_ruled_out(exact: FrozenDict[str, Measurement], problem: Problem) -> bool:
    """Whether exact metrics alone break a bound."""
    return any(bound.violation(exact) > 0 for bound in problem.constraints if is_exact(bound.metric))


def screen(trial: Trial, problem: Problem, costs: ExactCosts) -> Trial | None:
    """The completed trial if it breaks an exact bound, with its exact metrics alone."""
    exact = costs.of(trial.architecture)
    if not is_ruled_out(exact, problem):
        return None
    return trial.become(TrialStatus.COMPLETED, evaluation=Evaluation(metrics=exact))


def reuse(known: Evaluation | None, trial: Trial, costs: ExactCosts) -> Trial | None:
    """The completed trial if its evaluation is known already, from whatever search."""
    return trial.become(TrialStatus.COMPLETED, evaluation=priced(known, trial, costs)) if known else None


def unfinished(trial: Trial, now: float) -> Trial:
    """A running trial of which something is known now and more has to be measured, as a candidate."""
    attempts = (*trial.attempts[:-1], trial.attempts[-1].evolve(ended_at=now))
    return trial.become(TrialStatus.CANDIDATE, attempts=attempts)


def priced(evaluation: Evaluation, trial: Trial, costs: ExactCosts) -> Evaluation:
    """What a worker measured, joined by the exact costs."""
    metrics = FrozenDict({**evaluation.metrics, **costs.of(trial.architecture)})
    after: Evaluation = evaluation.evolve(metrics=metrics)
    return after


def judge(trial: Trial, outcome: Outcome, costs: ExactCosts, search: Search, now: float) -> Trial:
    """The running trial after its outcome: completed, retried or given up.

    When it was stopped at bounds that have moved meanwhile, it is a candidate again.
    """
    failure = outcome.failure
    attempts = (*trial.attempts[:-1], trial.attempts[-1].evolve(ended_at=now, failure=failure))
    if isinstance(outcome.result, Evaluation):
        evaluation = priced(outcome.result, trial, costs)
        completed = trial.become(TrialStatus.COMPLETED, evaluation=evaluation, attempts=attempts)
        return reopened(completed) if may_reopen(completed, search) else completed
    failure = failure or Failure(code="evaluation_error", message="The worker answered nothing.", transient=False)
    if not failure.transient and failure.code not in LOST_WEIGHTS:
        return trial.become(TrialStatus.ABANDONED, failure=failure, attempts=attempts)
    after: Trial = trial.evolve(attempts=attempts)
    hindrances = sum(is_hindrance(attempt.failure) for attempt in attempts)
    if is_last(failure, failures_of(after), hindrances, search.spec.max_attempts):
        return trial.become(TrialStatus.FAILED, failure=failure, attempts=attempts)
    return trial.become(TrialStatus.CANDIDATE, attempts=attempts)
