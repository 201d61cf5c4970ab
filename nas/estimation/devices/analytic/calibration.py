"""Fit a target's rates to measurements of any device: regularised least squares on log residuals.

    minimise  sum of (log estimated - log measured)^2
              + (unknowns / samples)^2 * sum of (log rate - log prior rate)^2

In logarithms no rate can become negative, and a network of 2 ms counts like one of 200. The prior weighs as much as
the measurements when there are as many of them as unknowns, and fades with their square.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.domain.device import Precision
from nas.domain.value import FrozenDict
from nas.errors import EvaluationError
from nas.estimation.devices.analytic.graph import Graph
from nas.estimation.devices.analytic.roofline import Plan, Rates, plan, rates_of
from nas.estimation.devices.analytic.target import Calibration, Target

UNKNOWNS = 5
ENOUGH = 2 * UNKNOWNS
"""Measurements from which the residuals say more about the uncertainty than the prior does."""
FOLDS = 10
SHORTEST_S = 1e-9
"""A prior of nothing could not move in logarithms."""


@dataclass(frozen=True)
class Observation:
    """Something that was measured.

    Attributes:
        graph: What ran.
        milliseconds: What a call took; where there is a canary, steadied by it.
    """

    graph: Graph
    milliseconds: float


def calibrate(
    target: Target, observations: Sequence[Observation], *, precision: Precision, device: str, name: str = ""
) -> Target:
    """A target with fitted rates and the uncertainty that cross-validation finds.

    Args:
        target: The prior. What is not a rate (memory inside, granularity, operators) is taken over.
        observations: At one precision; rates of the target's other precisions are scaled alike.
        precision: Of the measurements.
        device: What they were taken on, for the record.
        name: Of the new target; the prior's if empty.

    Raises:
        EvaluationError: If there is nothing to fit, or the target does not run the precision.
    """
    if not observations or precision not in target.precisions:
        raise EvaluationError(
            f"There is nothing to calibrate {target.name} with at {precision}.",
            f"Give measurements at {' or '.join(target.precisions)}.",
        )
    plans = [plan(one.graph, target, precision) for one in observations]
    measured = np.log([one.milliseconds / 1e3 for one in observations])
    prior = rates_of(target, precision)
    residuals = _left_out_residuals(plans, measured, prior)
    spread = None if residuals is None else float(np.sqrt(np.mean(residuals**2)))
    return _with_rates(
        target,
        precision,
        fit(plans, measured, prior),
        name=name or target.name,
        relative_uncertainty=_uncertainty(target, spread, len(plans)),
        calibration=Calibration(
            prior=target.name,
            device=device,
            precision=precision,
            samples=len(plans),
            cross_validated=spread,
            note=_note(len(plans)),
        ),
    )


def fit(plans: Sequence[Plan], log_seconds: NDArray[np.float64], prior: Rates) -> Rates:
    """Rates of least regularised squares."""
    from scipy.optimize import least_squares

    start = np.log(np.maximum(astuple(prior), SHORTEST_S))
    weight = UNKNOWNS / len(plans)

    def faults(unknown: NDArray[np.float64]) -> NDArray[np.float64]:
        rates = Rates(*np.exp(unknown))
        estimated = np.log([one.seconds(rates) for one in plans])
        return np.concatenate([estimated - log_seconds, weight * (unknown - start)])

    found: Any = least_squares(faults, start, bounds=(start - 12.0, start + 12.0), x_scale=1.0)
    return Rates(*(float(value) for value in np.exp(found.x)))


def _left_out_residuals(
    plans: Sequence[Plan], log_seconds: NDArray[np.float64], prior: Rates
) -> NDArray[np.float64] | None:
    """Log residuals of measurements that the fit has not seen; None when there are too few to leave any out."""
    count = len(plans)
    if count < 3:
        return None
    fold = np.arange(count) % min(count, FOLDS)
    residuals = np.empty(count)
    for left_out in range(fold.max() + 1):
        seen = np.flatnonzero(fold != left_out).tolist()
        rates = fit([plans[place] for place in seen], log_seconds[seen], prior)
        for place in np.flatnonzero(fold == left_out).tolist():
            residuals[place] = math.log(plans[place].seconds(rates)) - log_seconds[place]
    return residuals


def _uncertainty(target: Target, spread: float | None, count: int) -> float:
    if spread is None:
        return target.relative_uncertainty
    believed = max(spread, 1e-3)  # nothing is exact
    return believed if count >= ENOUGH else max(believed, target.relative_uncertainty)


def _note(count: int) -> str:
    if count < ENOUGH:
        return (
            f"Too few measurements ({count}; {ENOUGH} or more would do): the rates stay close to the prior, "
            "and its uncertainty is kept where it is larger."
        )
    return "Rates and uncertainty are those of the measurements; what was not measured is the prior's."


def _with_rates(target: Target, precision: Precision, rates: Rates, **changes: Any) -> Target:
    def scaled(by_precision: FrozenDict[Precision, float], fitted: float) -> FrozenDict[Precision, float]:
        factor = fitted / by_precision[precision]
        return FrozenDict({one: rate * factor for one, rate in by_precision.items()})

    fitted = f"fitted to {changes['calibration'].samples} measurements of {changes['calibration'].device}"
    changed = ("macs_per_s", "vector_ops_per_s", "memory_bytes_per_s", "launch_us", "inference_us")
    calibrated: Target = target.evolve(
        macs_per_s=scaled(target.macs_per_s, rates.macs_per_s),
        vector_ops_per_s=scaled(target.vector_ops_per_s, rates.vector_ops_per_s),
        memory_bytes_per_s=rates.memory_bytes_per_s,
        launch_us=rates.launch_s * 1e6,
        inference_us=rates.inference_s * 1e6,
        sources=FrozenDict({**target.sources, **dict.fromkeys(changed, fitted)}),
        **changes,
    )
    return calibrated
