"""Steps of one trial, each a compare-and-set on its row."""

from __future__ import annotations

from nas.domain.cost import ExactCosts
from nas.domain.job import Evaluation, Failure, Outcome
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import EXACT_METRICS
from nas.domain.objective import Problem
from nas.domain.trial import Attempt, Trial
from nas.domain.value import FrozenDict
from nas.ports import UnitOfWork

LOST_WEIGHTS = ("corrupt_artifact", "not_found")
"""Codes of failures that go away when the blocks are made again."""

FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 60.0


def backoff_s(failures: int) -> float:
    """Wait before the next attempt: 1 s after the first failure, doubling up to a minute."""
    if failures == 0:
        return 0.0
    return float(min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(failures - 1, 16)))


def failures_of(trial: Trial) -> int:
    """Attempts that count: those that failed. One that died with its coordinator does not."""
    return sum(attempt.failure is not None for attempt in trial.attempts)


def ready_at(trial: Trial) -> float:
    """Unix time from which a candidate may be claimed."""
    ended_at = trial.attempts[-1].ended_at if trial.attempts else None
    return 0.0 if ended_at is None else ended_at + backoff_s(failures_of(trial))


def reopen(uow: UnitOfWork, search_id: str) -> None:
    """Make candidates of the trials that ran under a dead coordinator; it costs them no attempt."""
    for trial in uow.trials.of_search(search_id, TrialStatus.RUNNING):
        uow.trials.replace(TrialStatus.RUNNING, trial.become(TrialStatus.CANDIDATE))


def claim(uow: UnitOfWork, trial: Trial, now: float) -> bool:
    """Make a candidate run; False when somebody else was first."""
    attempts = (*trial.attempts, Attempt(started_at=now))
    return uow.trials.replace(TrialStatus.CANDIDATE, trial.become(TrialStatus.RUNNING, attempts=attempts))


def screen(trial: Trial, problem: Problem, costs: ExactCosts) -> Trial | None:
    """The completed trial if it breaks an exact bound, with its exact metrics alone."""
    exact = costs.of(trial.architecture)
    bounds = (bound for bound in problem.constraints if bound.metric in EXACT_METRICS)
    if any(bound.violation(exact) > 0 for bound in bounds):
        return trial.become(TrialStatus.COMPLETED, evaluation=Evaluation(metrics=exact))
    return None


def reuse(uow: UnitOfWork, trial: Trial, key: str, costs: ExactCosts) -> Trial | None:
    """The completed trial if its evaluation is known already, from whatever search."""
    stored = uow.evaluations.recall(key)
    if stored is None:
        return None
    evaluation = priced(Evaluation.model_validate_json(stored), trial, costs)
    return trial.become(TrialStatus.COMPLETED, evaluation=evaluation)


def priced(evaluation: Evaluation, trial: Trial, costs: ExactCosts) -> Evaluation:
    """What a worker measured, joined by the exact costs."""
    metrics = FrozenDict({**evaluation.metrics, **costs.of(trial.architecture)})
    after: Evaluation = evaluation.evolve(metrics=metrics)
    return after


def judge(trial: Trial, outcome: Outcome, costs: ExactCosts, max_attempts: int, now: float) -> Trial:
    """The running trial after its outcome: completed, retried or given up."""
    failure = outcome.failure
    attempts = (*trial.attempts[:-1], trial.attempts[-1].evolve(ended_at=now, failure=failure))
    if isinstance(outcome.result, Evaluation):
        evaluation = priced(outcome.result, trial, costs)
        return trial.become(TrialStatus.COMPLETED, evaluation=evaluation, attempts=attempts)
    failure = failure or Failure(code="evaluation_error", message="The worker answered nothing.", transient=False)
    if not failure.transient and failure.code not in LOST_WEIGHTS:
        return trial.become(TrialStatus.ABANDONED, failure=failure, attempts=attempts)
    if sum(attempt.failure is not None for attempt in attempts) >= max_attempts:
        return trial.become(TrialStatus.FAILED, failure=failure, attempts=attempts)
    return trial.become(TrialStatus.CANDIDATE, attempts=attempts)
