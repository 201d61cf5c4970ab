"""One architecture tried within one search."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nas.domain.architecture import Architecture
from nas.domain.job import Evaluation, Failure
from nas.domain.lifecycle import TrialStatus, require_trial_step
from nas.domain.metric import is_exact
from nas.domain.objective import Problem
from nas.domain.value import Value
from nas.errors import IllegalTransition


class Attempt(Value):
    """One submission of a trial to the workers.

    Attributes:
        started_at: Unix seconds.
        ended_at: Unix seconds; None while it runs, or when the coordinator died with it.
        failure: Why it gave no result.
    """

    started_at: float
    ended_at: float | None = None
    failure: Failure | None = None


class Trial(Value):
    """A numbered trial; the pair (search, architecture) is unique.

    Attributes:
        origin: Who proposed it, for explanations (`warm start`, `bayesian`, `sobol`, ...).
        bounds_version: Version of the search's problem in force when it was proposed.
        evaluation: The verdict of a completed trial. Exact metrics alone when the trial was screened:
            it broke an exact bound, so nothing was spent on its fidelity. Rough when it was stopped early:
            a fidelity was clearly beyond its bound.
    """

    search: str
    number: Annotated[int, Field(ge=0)]
    architecture: Architecture
    origin: str = ""
    bounds_version: int = 0
    status: TrialStatus = TrialStatus.CANDIDATE
    attempts: tuple[Attempt, ...] = ()
    evaluation: Evaluation | None = None
    failure: Failure | None = None
    created_at: float = 0.0

    @property
    def is_screened(self) -> bool:
        """Whether it was completed without any fidelity, because it broke an exact bound."""
        return self.evaluation is not None and all(map(is_exact, self.evaluation.metrics))

    @property
    def is_partial(self) -> bool:
        """Whether its evaluation was stopped early, because a fidelity was clearly beyond its bound."""
        return self.evaluation is not None and self.evaluation.is_partial

    @property
    def is_settled(self) -> bool:
        """Whether no step leads on from here. Those screened or stopped early may be reopened."""
        is_provisional = self.is_screened or self.is_partial
        return self.status.is_terminal and not (self.status is TrialStatus.COMPLETED and is_provisional)

    @property
    def is_judged(self) -> bool:
        """Whether it has a verdict that may win, stand on a front or be compared: not one that was stopped early."""
        return self.status is TrialStatus.COMPLETED and self.evaluation is not None and not self.is_partial

    def is_feasible(self, problem: Problem) -> bool:
        """Whether every bound is respected. Never so when it was stopped early, whatever the bounds are now."""
        return self.evaluation is not None and not self.is_partial and problem.is_feasible(self.evaluation.metrics)

    def become(self, status: TrialStatus, **changes: object) -> Trial:
        """The trial after a legal step.

        Raises:
            IllegalTransition: If the lifecycle does not have this step; a trial measured whole is never reopened.
        """
        require_trial_step(self.status, status)
        if self.is_settled:
            raise IllegalTransition(f"Trial {self.number} was measured; it cannot become {status.value}.")
        after: Trial = self.evolve(status=status, **changes)
        return after
