"""Architectures that look best when block losses simply add up: where a search should begin.

Block losses fall out of distillation for nothing, and on additive landscapes their sum already
orders networks well (DNA, Li et al., CVPR 2020; Puzzle, Bercovich et al. 2024). The front of
(cost, sum of block losses) is exact here: it is enumerated, or merged stage by stage.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas.strategy.candidates import CandidatePool
from nas.strategy.pricing import Codes, PricedSpace, Prices, sum_by_stage

_MERGE_CAP = 4096
"""Partial fronts longer than this are thinned while they are merged, which costs exactness."""


def additive_front(pool: CandidatePool, metric: str) -> Codes:
    """Architectures on the front of (exact metric, sum of block losses), cheapest first.

    Exact up to the exhaustive limit, bounds of the problem included. Beyond it the front of the whole
    space is merged stage by stage (exact while partial fronts stay below a cap of 4096) and then
    filtered by the bounds.
    """
    priced = pool.priced
    if not pool.is_exhaustive:
        return pool.within_bounds(merged_front(priced, metric))
    codes = pool.everything()
    return codes[non_dominated_rows(priced.prices(metric, codes), sum_by_stage(priced.contributions, codes))]


def merged_front(priced: PricedSpace, metric: str) -> Codes:
    """The same front by dynamic programming over stages, for spaces that cannot be enumerated."""
    codes: Codes = np.zeros((1, 0), dtype=np.int16)
    costs, losses = np.zeros(1), np.zeros(1)
    for prices, stage_losses in zip(priced.stage_prices(metric), priced.contributions, strict=True):
        costs = (costs[:, None] + prices[None, :]).ravel()
        losses = (losses[:, None] + stage_losses[None, :]).ravel()
        variants = np.tile(np.arange(len(prices), dtype=np.int16), len(codes))
        codes = np.column_stack([np.repeat(codes, len(prices), axis=0), variants])
        keep = non_dominated_rows(costs, losses)
        if len(keep) > _MERGE_CAP:
            keep = keep[np.linspace(0, len(keep) - 1, _MERGE_CAP).astype(int)]
        codes, costs, losses = codes[keep], costs[keep], losses[keep]
    return codes


def non_dominated_rows(costs: Prices, losses: Prices) -> npt.NDArray[np.intp]:
    """Positions on the two-dimensional front, cheapest first; of equal points the first one stays."""
    order = np.lexsort((losses, costs))
    best_before = np.concatenate([[np.inf], np.minimum.accumulate(losses[order])[:-1]])
    return order[losses[order] < best_before]


def spread(costs: Prices, losses: Prices, count: int) -> list[int]:
    """`count` positions of a front, far from each other in cost and log-loss, the most telling first.

    Farthest-first traversal from the middle of the front.
    """
    if not len(costs):
        return []
    floor = max(float(losses[losses > 0].min()) / 2, 1e-300) if (losses > 0).any() else 1.0
    axes = np.column_stack([costs, np.log(np.maximum(losses, floor))])
    extent = np.ptp(axes, axis=0)
    axes = axes / np.where(extent > 0, extent, 1.0)
    chosen = [int(np.argmin(np.square(axes - np.median(axes, axis=0)).sum(axis=1)))]
    distance = np.square(axes - axes[chosen[0]]).sum(axis=1)
    while len(chosen) < min(count, len(costs)):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.square(axes - axes[chosen[-1]]).sum(axis=1))
    return chosen
