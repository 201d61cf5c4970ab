"""The part of a history that a response model can learn from, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nas.domain.objective import Problem
from nas.domain.search_space import SearchSpace
from nas.domain.trial import Trial
from nas.strategy.additive import non_dominated_rows
from nas.strategy.pricing import Codes, Prices


@dataclass(frozen=True)
class Judged:
    """Trials in which every metric of the problem has a value; screened, abandoned and failed ones are not.

    Attributes:
        codes: Variant numbers, `n x stages`.
        means: Measured means of each metric, `n`.
        errors: Their standard errors, `n`.
        violation: Sum of relative violations of the bounds, `n`; 0 where feasible.
    """

    codes: Codes
    means: dict[str, Prices]
    errors: dict[str, Prices]
    violation: Prices

    @classmethod
    def of(cls, finished: Sequence[Trial], space: SearchSpace, problem: Problem) -> Judged:
        """The judged ones among finished trials, in the order given."""
        metrics = problem.metrics
        told = [
            (trial.architecture, trial.evaluation.metrics)
            for trial in finished
            if trial.evaluation is not None and all(metric in trial.evaluation.metrics for metric in metrics)
        ]
        codes = np.array([space.encode(architecture) for architecture, _ in told], dtype=np.int16)
        return cls(
            codes=codes.reshape(len(told), len(space.stages)),
            means={metric: np.array([values[metric].mean for _, values in told]) for metric in metrics},
            errors={metric: np.array([values[metric].sem for _, values in told]) for metric in metrics},
            violation=np.array([problem.violation(values) for _, values in told]),
        )

    def __len__(self) -> int:
        return len(self.codes)

    def rows(self, keep: npt.NDArray[np.intp]) -> Judged:
        """Some of them."""
        return Judged(
            codes=self.codes[keep],
            means={metric: values[keep] for metric, values in self.means.items()},
            errors={metric: values[keep] for metric, values in self.errors.items()},
            violation=self.violation[keep],
        )

    def best_first(self, objectives: Sequence[str]) -> npt.NDArray[np.intp]:
        """Positions by violation, then (of two objectives) the front before the rest, then the first objective."""
        first, last = self.means[objectives[0]], self.means[objectives[-1]]
        beside_front = np.ones(len(self))
        if len(objectives) == 2:
            feasible = np.flatnonzero(self.violation == 0)
            beside_front[feasible[non_dominated_rows(first[feasible], last[feasible])]] = 0
        return np.lexsort((first, beside_front, self.violation))

    def at_most(self, count: int, objectives: Sequence[str]) -> Judged:
        """No more than `count` of them: the better half of that number, and an even sample of the others."""
        if len(self) <= count:
            return self
        order = self.best_first(objectives)
        others = order[count // 2 :]
        sample = others[np.linspace(0, len(others) - 1, count - count // 2).astype(int)]
        return self.rows(np.sort(np.concatenate([order[: count // 2], sample])))
