"""What a strategy was told of trials with a verdict, as columns that grow."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nas.domain.lifecycle import HOPELESS
from nas.domain.search_space import SearchSpace
from nas.domain.trial import Trial
from nas.strategy.pricing import Codes, Prices
from nas.strategy.seen import Tried

_NOTHING = (float("nan"),) * 3


@dataclass(frozen=True)
class Columns:
    """Trials with a verdict, by number.

    Attributes:
        numbers: Their numbers, `n`.
        codes: Variant numbers, `n x stages`.
        hopeless: Trials that failed for good, `n`.
        rough: Trials whose evaluation was stopped early, `n`.
        measured: Mean, standard error and number of samples of each metric, `n x 3`; NaN where it was not measured.
    """

    numbers: npt.NDArray[np.int64]
    codes: Codes
    hopeless: npt.NDArray[np.bool_]
    rough: npt.NDArray[np.bool_]
    measured: dict[str, Prices]


class Record:
    """Every trial with a verdict, each entered once; kept are numbers, some 30 bytes a trial and 24 a metric.

    Attributes:
        tried: Their architectures.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.tried = Tried(space.cardinalities)
        self._space = space
        self._numbers = array("q")
        self._codes = array("h")
        self._hopeless = array("b")
        self._rough = array("b")
        self._measured: dict[str, array[float]] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def enter(self, trial: Trial) -> None:
        """Take in a trial; one outside the space, or one that is known already, changes nothing."""
        if trial.architecture not in self._space:
            return
        codes = self._space.encode(trial.architecture)
        if codes in self.tried:
            return
        metrics = trial.evaluation.metrics if trial.evaluation else {}
        for name in metrics:
            if name not in self._measured:
                self._measured[name] = array("d", _NOTHING * len(self))
        for name, column in self._measured.items():
            value = metrics.get(name)
            column.extend((value.mean, value.sem, value.samples) if value else _NOTHING)
        self.tried.add(codes)
        self._codes.extend(codes)
        self._hopeless.append(trial.status in HOPELESS)
        self._rough.append(trial.is_partial)
        self._numbers.append(trial.number)

    def columns(self) -> Columns:
        """All of them, by number: in whatever order they were told."""
        numbers = np.array(self._numbers, dtype=np.int64)
        order = np.argsort(numbers)
        return Columns(
            numbers=numbers[order],
            codes=np.array(self._codes, dtype=np.int16).reshape(len(self), len(self._space.stages))[order],
            hopeless=np.array(self._hopeless, dtype=bool)[order],
            rough=np.array(self._rough, dtype=bool)[order],
            measured={name: np.array(of, dtype=float).reshape(-1, 3)[order] for name, of in self._measured.items()},
        )
