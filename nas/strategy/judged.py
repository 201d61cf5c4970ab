"""The part of a history that a response model can learn from, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nas.domain.objective import Problem
from nas.strategy.additive import non_dominated_rows
from nas.strategy.pricing import Codes, Prices
from nas.strategy.record import Columns


@dataclass(frozen=True)
class Judged:
    """Trials in which every metric of the problem has a value; screened, abandoned and failed ones are not.

    Attributes:
        codes: Variant numbers, `n x stages`.
        means: Measured means of each metric, `n`.
        errors: Their standard errors, `n`.
        samples: How many samples stand behind them, `n`.
        violation: Sum of relative violations of the bounds, `n`; 0 where feasible.
    """

    codes: Codes
    means: dict[str, Prices]
    errors: dict[str, Prices]
    samples: dict[str, Prices]
    violation: Prices

    @classmethod
    def of(cls, told: Columns, problem: Problem) -> Judged:
        """The judged ones among trials with a verdict, in the order given.

        Args:
            told: Trials with a verdict, whatever it is.
            problem: Says which metrics must be there.
        """
        nothing = np.full((len(told.numbers), 3), np.nan)
        measured = {metric: told.measured.get(metric, nothing) for metric in problem.metrics}
        rows = np.flatnonzero(np.all([np.isfinite(values[:, 0]) for values in measured.values()], axis=0))
        means = {metric: values[rows, 0] for metric, values in measured.items()}
        return cls(
            codes=told.codes[rows],
            means=means,
            errors={metric: values[rows, 1] for metric, values in measured.items()},
            samples={metric: values[rows, 2] for metric, values in measured.items()},
            violation=sum(
                (np.maximum(means[bound.metric] / bound.at_most - 1.0, 0.0) for bound in problem.constraints),
                start=np.zeros(len(rows)),
            ),
        )

    def __len__(self) -> int:
        return len(self.codes)

    def rows(self, keep: npt.NDArray[np.intp]) -> Judged:
        """Some of them."""
        return Judged(
            codes=self.codes[keep],
            means={metric: values[keep] for metric, values in self.means.items()},
            errors={metric: values[keep] for metric, values in self.errors.items()},
            samples={metric: values[keep] for metric, values in self.samples.items()},
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
