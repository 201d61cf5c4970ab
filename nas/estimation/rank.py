"""How well two rows of numbers agree: in order, and along a line."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


def kendall_tau(first: Numbers, second: Numbers) -> float:
    """Kendall's tau-b: agreement in order, -1 to 1, ties corrected for; NaN where one row is constant."""
    above, beside = (np.sign(values[:, None] - values[None, :]) for values in (first, second))
    ties = math.sqrt(float(np.abs(above).sum()) * float(np.abs(beside).sum()))
    return float((above * beside).sum()) / ties if ties else math.nan


def spearman(first: Numbers, second: Numbers) -> float:
    """Spearman's rho: correlation of ranks, ties sharing their mean rank; NaN where one row is constant."""
    return _correlation(_ranks(first), _ranks(second))


def r_squared(first: Numbers, second: Numbers) -> float:
    """Share of the variance of one that the best straight line through the other explains; NaN where constant."""
    return _correlation(first, second) ** 2


def _ranks(values: Numbers) -> Numbers:
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(sizes) - (sizes - 1) / 2)[group], dtype=np.float64)


def _correlation(first: Numbers, second: Numbers) -> float:
    one, other = first - first.mean(), second - second.mean()
    size = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / size if size else math.nan
