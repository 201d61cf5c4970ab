"""The part of a history that a response model can learn from, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from nas.domain.metric import Measurement
from nas.domain.objective import Problem
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
        samples: How many samples stand behind them, `n`.
        violation: Sum of relative violations of the bounds, `n`; 0 where feasible.
    """

    codes: Codes
    means: dict[str, Prices]
    errors: dict[str, Prices]
    samples: dict[str, Prices]
    violation: Prices

    @classmethod
    def of(cls, finished: Sequence[Trial], codes: Sequence[tuple[int, ...]], problem: Problem, stages: int) -> Judged:
        """The judged ones among finished trials, in the order given.

        Args:
            finished: Trials with a verdict, whatever it is.
            codes: Their variant numbers.
            problem: Says which metrics must be there.
            stages: Number of stages of the space.
        """
        metrics = problem.metrics
        rows: list[tuple[int, ...]] = []
        told: list[list[Measurement]] = []
        for trial, row in zip(finished, codes, strict=True):
            if trial.evaluation is not None:
                values = [trial.evaluation.metrics.get(metric) for metric in metrics]
                if None not in values:
                    rows.append(row)
                    told.append(cast("list[Measurement]", values))
        told_of = [[(value.mean, value.sem, value.samples) for value in values] for values in told]
        means, errors, samples = np.moveaxis(np.array(told_of, dtype=float).reshape(len(told), len(metrics), 3), 2, 0)
        bounds = [(metrics.index(bound.metric), bound.at_most) for bound in problem.constraints]
        return cls(
            codes=np.array(rows, dtype=np.int16).reshape(len(told), stages),
            means={metric: means[:, column] for column, metric in enumerate(metrics)},
            errors={metric: errors[:, column] for column, metric in enumerate(metrics)},
            samples={metric: samples[:, column] for column, metric in enumerate(metrics)},
            violation=sum(
                (np.maximum(means[:, column] / at_most - 1.0, 0.0) for column, at_most in bounds),
                start=np.zeros(len(told)),
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
