"""What a search has found out, as arrays: the same for a strategy in memory and for rows of a database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.domain.metric import is_exact
from nas.domain.objective import Problem
from nas.strategy.base import Strategy
from nas.strategy.judged import Judged
from nas.strategy.pricing import Codes, PricedSpace, Prices

MANY = 64.0
"""Samples behind a whole measurement where nobody says how many: the product's own are of dozens at least."""


@dataclass(frozen=True)
class Evidence:
    """All trials of a search, by number.

    Attributes:
        numbers: Their numbers, `n`.
        codes: Variant numbers, `n x stages`.
        means: Measured means of each estimated metric, `n`; NaN where it was not measured.
        errors: Their standard errors, `n`.
        hopeless: Trials that failed for good: their architectures are worth no second thought, `n`.
        pending: Trials without a verdict, `n`.
        rough: Trials whose evaluation was stopped early: models learn from them, but no verdict is theirs, `n`.
        samples: How many samples stand behind each estimated metric, `n`; many where a metric is missing.
    """

    numbers: npt.NDArray[np.int64]
    codes: Codes
    means: dict[str, Prices]
    errors: dict[str, Prices]
    hopeless: npt.NDArray[np.bool_]
    pending: npt.NDArray[np.bool_]
    rough: npt.NDArray[np.bool_]
    samples: dict[str, Prices] = field(default_factory=dict)

    @classmethod
    def of(cls, strategy: Strategy) -> Evidence:
        """What a strategy was told; pending architectures, which it knows without numbers, get -1."""
        told, waiting = strategy.record.columns(), strategy.pending
        lacking = np.full((len(waiting), 3), np.nan)
        values = {
            name: np.concatenate([told.measured[name], lacking])
            for name in sorted(told.measured)
            if not is_exact(name)
        }
        none = np.zeros(len(waiting), dtype=bool)
        return cls(
            numbers=np.concatenate([told.numbers, np.full(len(waiting), -1)]),
            codes=np.concatenate([told.codes, strategy.encode_all(waiting)]),
            means={name: columns[:, 0] for name, columns in values.items()},
            errors={name: columns[:, 1] for name, columns in values.items()},
            samples={name: columns[:, 2] for name, columns in values.items()},
            hopeless=np.concatenate([told.hopeless, none]),
            pending=np.concatenate([np.zeros(len(told.numbers), dtype=bool), ~none]),
            rough=np.concatenate([told.rough, none]),
        )

    @property
    def digest(self) -> str:
        """Changes whenever an answer might."""
        whole = hashlib.sha256()
        for name, array in self._arrays():
            whole.update(f"{name} {array.dtype} {array.shape} ".encode())
            whole.update(array.tobytes())
        return whole.hexdigest()

    def document(self) -> dict[str, Any]:
        """The same as lists, for another process; NaN where nothing was measured."""
        columns = {name: array.tolist() for name, array in self._arrays() if "/" not in name}
        told = {kind: {m: values.tolist() for m, values in of.items()} for kind, of in self._metrics()}
        return {**columns, "stages": self.codes.shape[1], **told}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Evidence:
        """What `document` made."""
        return cls(
            numbers=np.array(document["numbers"], dtype=np.int64),
            codes=np.array(document["codes"], dtype=np.int16).reshape(-1, document["stages"]),
            hopeless=np.array(document["hopeless"], dtype=bool),
            pending=np.array(document["pending"], dtype=bool),
            rough=np.array(document["rough"], dtype=bool),
            **{
                kind: {name: np.array(values, dtype=np.float64) for name, values in document[kind].items()}
                for kind in ("means", "errors", "samples")
            },
        )

    def _arrays(self) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        for name in ("numbers", "codes", "hopeless", "pending", "rough"):
            yield name, getattr(self, name)
        for kind, columns in self._metrics():
            for name in sorted(columns):
                yield f"{kind}/{name}", columns[name]

    def _metrics(self) -> tuple[tuple[str, dict[str, Prices]], ...]:
        return ("means", self.means), ("errors", self.errors), ("samples", self.samples)

    def judged(
        self, priced: PricedSpace, problem: Problem, rough: bool = False
    ) -> tuple[npt.NDArray[np.intp], Judged]:
        """The trials in which every metric of a problem has a value, and their positions.

        Exact metrics are priced, not looked up, so that a problem may name any of them.

        Args:
            priced: Prices of the space.
            problem: Which metrics must be there.
            rough: Include what was stopped early: to learn from, not to choose from.
        """
        estimated = [metric for metric in problem.metrics if not is_exact(metric)]
        nothing = np.full(len(self.numbers), np.nan)
        means = {metric: self.means.get(metric, nothing) for metric in estimated}
        valued = ~self.hopeless & ~self.pending & (rough | ~self.rough)
        for values in means.values():
            valued = valued & np.isfinite(values)
        rows = np.flatnonzero(valued)
        codes = self.codes[rows]
        told = {m: means[m][rows] if m in means else priced.prices(m, codes) for m in problem.metrics}
        errors = {m: self.errors[m][rows] if m in self.errors else np.zeros(len(rows)) for m in problem.metrics}
        many = np.full(len(rows), MANY)
        samples = {m: self.samples[m][rows] if m in self.samples else many for m in problem.metrics}
        violation = np.zeros(len(rows))
        for bound in problem.constraints:
            violation += np.maximum(told[bound.metric] / bound.at_most - 1.0, 0.0)
        return rows, Judged(codes=codes, means=told, errors=errors, samples=samples, violation=violation)
