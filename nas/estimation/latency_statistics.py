"""Robust statistics of timings: no assumption about their distribution, which is skewed and has a long tail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CONFIDENCE = 0.95


def quantile(samples: Sequence[float], share: float) -> float:
    """Quantile of the samples, linearly interpolated."""
    return float(np.quantile(samples, share))


def median_interval(samples: Sequence[float]) -> tuple[float, float]:
    """Interval between two order statistics that holds the true median with at least 95 % confidence.

    How many of `n` independent samples lie below the median is binomial, whatever they are distributed like
    (Hahn & Meeker 1991). With fewer than six samples no such interval exists and the range is given, whose
    confidence is `1 - 2 ** (1 - n)`.
    """
    ordered, count = sorted(samples), len(samples)
    below = np.arange(count)
    log_probability = np.cumsum(np.log((count - below) / (below + 1.0))) - count * np.log(2.0)
    tail = np.cumsum(np.concatenate([[0.5**count], np.exp(log_probability)]))
    # Outside [x_(rank), x_(n + 1 - rank)] lies the median with probability 2 P(fewer than `rank` below it).
    rank = max(1, int(np.searchsorted(tail, (1.0 - CONFIDENCE) / 2.0, side="right")))
    return ordered[rank - 1], ordered[count - rank]
