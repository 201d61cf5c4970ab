"""How much a candidate is expected to improve on a baseline of known points, in closed form.

One objective: expected improvement. Two: expected hypervolume improvement, which in two dimensions is a sum
over the strips of the front of products of one-dimensional expectations (Yang et al., 2019); with a known cost
one factor of each product is a plain difference.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nas.strategy.posterior import Belief


def expected_gain(points: Tensor, reference: list[float], objectives: list[Belief], draw: int) -> Tensor:
    """Expected improvement over `points`, `N`: of the best value, or of the dominated area.

    Args:
        points: Feasible baseline, `m x 1` or `m x 2`; may be empty.
        reference: Where improvement starts to count when there is no baseline.
        objectives: Beliefs about one or two objectives at `N` candidates.
        draw: Which draw of the baseline `points` belong to.
    """
    if len(objectives) == 1:
        best = points.min() if len(points) else torch.tensor(reference[0], dtype=torch.float64)
        return objectives[0].shortfall(draw, best.reshape(1))[0]
    edges, ceilings = strips(points, reference)
    reached = objectives[0].shortfall(draw, edges)
    widths = torch.cat([reached[:1], reached.diff(dim=0)])
    return (widths * objectives[1].shortfall(draw, ceilings)).sum(0)


def strips(points: Tensor, reference: list[float]) -> tuple[Tensor, Tensor]:
    """The area that `points` leave undominated, as vertical strips below the reference.

    Returns:
        Right edges (increasing) and ceilings (decreasing) of the strips, `K` each: strip `k` reaches
        from the edge before it to its own, and from below up to its ceiling.
    """
    right, top = reference
    inside = [(x, y) for x, y in sorted(points.tolist()) if x < right and y < top]
    edges, ceilings = [], [top]
    for x, y in inside:
        if y < ceilings[-1]:
            edges.append(x)
            ceilings.append(y)
    return torch.tensor([*edges, right], dtype=torch.float64), torch.tensor(ceilings, dtype=torch.float64)
