"""What the model has to beat: a straight line over parameters alone, or over multiply-accumulates alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.estimation.devices.analytic.graph import Graph
from nas.estimation.devices.analytic.work import macs

Values = NDArray[np.float64]


def parameters(graph: Graph) -> float:
    """Weights of a graph."""
    return float(graph.weight_elements)


def multiply_accumulates(graph: Graph) -> float:
    """Multiply-accumulates of a graph."""
    return float(macs(graph))


@dataclass(frozen=True)
class Line:
    """Milliseconds as a line over one quantity, in linear or in logarithmic space.

    Attributes:
        is_logarithmic: Whether both sides are logarithms.
    """

    slope: float
    intercept: float
    is_logarithmic: bool

    def predict(self, quantity: Values) -> Values:
        """Milliseconds."""
        if self.is_logarithmic:
            return np.exp(self.intercept + self.slope * np.log(np.maximum(quantity, 1.0)))
        return self.intercept + self.slope * quantity


def fit_line(quantity: Values, milliseconds: Values) -> Line:
    """Least squares with an intercept, in whichever space has the smaller mean relative error on the same points."""
    logarithmic = _line(np.log(np.maximum(quantity, 1.0)), np.log(milliseconds), is_logarithmic=True)
    linear = _line(quantity, milliseconds, is_logarithmic=False)

    def error(line: Line) -> float:
        return float(np.mean(np.abs(line.predict(quantity) / milliseconds - 1)))

    return min((linear, logarithmic), key=error)


def _line(x: Values, y: Values, *, is_logarithmic: bool) -> Line:
    slope, intercept = np.polyfit(x, y, 1)
    return Line(float(slope), float(intercept), is_logarithmic)


NAIVE: dict[str, Callable[[Graph], float]] = {"params only": parameters, "MACs only": multiply_accumulates}


def scores(predicted: Sequence[float] | Values, measured: Sequence[float] | Values) -> dict[str, float]:
    """Rank correlations and relative errors of predictions."""
    from scipy.stats import kendalltau, spearmanr

    error = np.abs(np.asarray(predicted) / np.asarray(measured) - 1)
    tau: Any = kendalltau(predicted, measured)
    rho: Any = spearmanr(predicted, measured)
    return {
        "kendall_tau": float(tau.statistic),
        "spearman": float(rho.statistic),
        "mean_relative_error": float(error.mean()),
        "median_relative_error": float(np.median(error)),
    }
