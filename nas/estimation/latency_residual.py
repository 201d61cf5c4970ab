"""How far a table of isolated blocks is from assembled networks, and what a small correction leaves of that."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nas.estimation.rank import Numbers, kendall_tau

LEAST_TO_CORRECT = 4
"""Networks below which a correction would be a guess."""


def additivity(table: Numbers, measured: Numbers) -> dict[str, Any]:
    """Table latencies against measured ones, both in ms, of the same `n` networks.

    Returns:
        `count`, `bias` (mean of measured over table, less one), `mean_error` and `worst_error` (relative, of the
        measured), `kendall_tau`, and `corrected_error`: the mean error of networks that the correction
        `log measured = a + b log table` did not see (leave one out); null below four networks.
    """
    errors = np.abs(table / measured - 1.0)
    tau = kendall_tau(table, measured)
    return {
        "count": len(table),
        "bias": float(np.mean(measured / table - 1.0)),
        "mean_error": float(errors.mean()),
        "worst_error": float(errors.max()),
        "kendall_tau": tau if math.isfinite(tau) else None,
        "corrected_error": _corrected(table, measured) if len(table) >= LEAST_TO_CORRECT else None,
    }


def corrected(table: Numbers, measured: Numbers, asked: Numbers) -> Numbers:
    """Latencies of networks from their table price, after the correction that measured networks teach.

    The slope is drawn towards 1, the plain sum, by as much as one network's worth of evidence: few networks of
    like latency say nothing about it.

    Args:
        table: Table latencies of measured networks, `n`.
        measured: What they take.
        asked: Table latencies of others, `m`.
    """
    x, y = np.log(table), np.log(measured / table)
    spread = x - x.mean()
    slope = float(spread @ (y - y.mean())) / (float(spread @ spread) + _PRIOR_SPREAD)
    log_asked = np.log(asked)
    return np.asarray(np.exp(log_asked + y.mean() + slope * (log_asked - x.mean())))


_PRIOR_SPREAD = 0.01
"""Squared: networks that differ by 10 % from each other move the slope half way."""


def _corrected(table: Numbers, measured: Numbers) -> float:
    errors = []
    for left_out in range(len(table)):
        rest = np.arange(len(table)) != left_out
        (told,) = corrected(table[rest], measured[rest], table[[left_out]])
        errors.append(abs(told / measured[left_out] - 1.0))
    return float(np.mean(errors))
