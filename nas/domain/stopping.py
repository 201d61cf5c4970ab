"""When an evaluation may end before its last sample: its architecture is clearly beyond a bound.

The one rule behind stopping a network on a worker, taking a stopped result out of the cache, and opening
a stopped trial again when the bounds have moved.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from nas.domain.job import Evaluation
from nas.domain.metric import Measurement
from nas.domain.objective import OutcomeConstraint
from nas.domain.value import FrozenDict

STANDARD_ERRORS: Final = 3.0
"""How many of them a mean has to be above a limit. In batches of 16 none of 6,144 networks was stopped wrongly."""
LEAST_SAMPLES: Final = 16
"""Fewer give a standard error that cannot be trusted itself."""
PARTS: Final = (8, 4, 2)
"""An evaluation may end at the 8th, the 4th and the half of its samples."""


def limits_of(bounds: Iterable[OutcomeConstraint], metrics: Iterable[str]) -> FrozenDict[str, float]:
    """The bound on each of `metrics` that has one. The other values of a grid are tighter and rule nothing out."""
    measured = set(metrics)
    limits: dict[str, float] = {}
    for bound in bounds:
        if bound.metric in measured:
            limits[bound.metric] = min(bound.at_most, limits.get(bound.metric, math.inf))
    return FrozenDict(dict(sorted(limits.items())))


def is_clearly_beyond(measured: Measurement, limit: float) -> bool:
    """Whether a mean is above a limit by more than its standard error explains.

    A standard error of 0 comes of too few or of equal samples and says nothing: never clear.
    """
    return measured.sem > 0 and measured.mean - STANDARD_ERRORS * measured.sem > limit


def is_stopped_by(metrics: Mapping[str, Measurement], limits: Mapping[str, float]) -> bool:
    """Whether some metric is clearly beyond its limit."""
    return any(name in metrics and is_clearly_beyond(metrics[name], limit) for name, limit in limits.items())


def is_ruled_out_early(evaluation: Evaluation, limits: Mapping[str, float]) -> bool:
    """Whether an evaluation that was stopped would be stopped under these limits too; never so for a whole one."""
    return evaluation.is_partial and is_stopped_by(evaluation.metrics, limits)


def rungs(samples: int, step: int) -> tuple[int, ...]:
    """After how many of `samples` an evaluation may end, rising; all of them whole steps and none the last sample.

    Args:
        samples: Of the whole evaluation.
        step: Samples that belong together: whole batches, and as many of each timestep band.
    """
    wanted = (math.ceil(samples / (part * step)) * step for part in PARTS)
    return tuple(sorted({count for count in wanted if LEAST_SAMPLES <= count < samples}))
