"""Non-domination over plain tuples; every coordinate is minimised."""

from __future__ import annotations

import math
from collections.abc import Sequence


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether `a` is nowhere worse than `b` and somewhere better."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


def non_dominated(points: Sequence[Sequence[float]]) -> tuple[int, ...]:
    """Positions of the points that no other point dominates, in the given order.

    Equal points do not dominate each other: all of them stay. Up to two axes it takes one sort,
    beyond that every pair is compared.
    """
    if not points or len(points[0]) > 2:
        return tuple(i for i, point in enumerate(points) if not any(dominates(other, point) for other in points))
    keep: list[int] = []
    lowest, at = math.inf, math.inf  # least last coordinate so far, and the first coordinate where it was met
    for i in sorted(range(len(points)), key=lambda i: (points[i][0], points[i][-1])):
        first, last = points[i][0], points[i][-1]
        if last < lowest:
            lowest, at = last, first
        if (last, first) == (lowest, at):
            keep.append(i)
    return tuple(sorted(keep))


def hypervolume_2d(points: Sequence[Sequence[float]], reference: Sequence[float]) -> float:
    """Area dominated by `points` and bounded by `reference`, in the product of both units.

    Points that do not dominate the reference add nothing.
    """
    inside = sorted((p[0], p[1]) for p in points if p[0] < reference[0] and p[1] < reference[1])
    area, ceiling = 0.0, reference[1]
    for x, y in inside:
        if y < ceiling:
            area += (reference[0] - x) * (ceiling - y)
            ceiling = y
    return area
