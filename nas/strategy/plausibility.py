"""Whether block losses are worth believing before any trial has spoken.

A block that does less is, as a rule, imitated worse. Block losses that fall and rise at random among the variants
of their stages (a distillation that never converged, a table whose rows were mixed up) mislead a search more than
knowing nothing does: it never tries what they speak against.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

_CREDIT = math.log(9.0)
"""Log odds that block losses tell something, before they are looked at."""
_DISPERSION = 1.0
"""Of the Mallows model: each pair of variants that stands the other way round makes an order `e` times rarer."""


Tables = Sequence[npt.NDArray[np.float64]]


def log_odds(block_losses: Tables, savings: Tables) -> float:
    """Log odds that block losses follow from the blocks, against an order within each stage by mere chance.

    If they do, the order of a stage's variants is that of what they save, up to a few exchanges (the Mallows model,
    Biometrika 1957: `exp(-θ · exchanged pairs) / Z(θ)`); by chance, every order is as likely as any other.

    Args:
        block_losses: Block loss of every variant, by stage.
        savings: What every variant saves, in any unit; a variant that saves nothing is the original and left out.
    """
    total = _CREDIT
    for losses, saved in zip(block_losses, savings, strict=True):
        changed = saved > 0
        n = int(changed.sum())
        pairs = combinations(zip(losses[changed].tolist(), saved[changed].tolist(), strict=True), 2)
        exchanged = sum(_exchanged(*pair) for pair in pairs)
        total += math.lgamma(n + 1) - _log_normaliser(n) - _DISPERSION * exchanged
    return total


def _exchanged(left: tuple[float, float], right: tuple[float, float]) -> float:
    """1 where the variant that saves more is imitated better, 0 where worse; a tie speaks half for either."""
    agreement = (left[0] - right[0]) * (left[1] - right[1])
    return 0.5 if agreement == 0 else float(agreement < 0)


def _log_normaliser(n: int) -> float:
    """Log of the sum of `exp(-θ · inversions)` over all orders of `n`: a product of geometric sums."""
    return sum(math.log(math.expm1(-_DISPERSION * i) / math.expm1(-_DISPERSION)) for i in range(1, n + 1))
