"""Non-domination over plain tuples; every coordinate is minimised."""

from __future__ import annotations

from collections.abc import Sequence


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether `a` is nowhere worse than `b` and somewhere better."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


def non_dominated(points: Sequence[Sequence[float]]) -> tuple[int, ...]:
    """Positions of the points that no other point dominates, in the given order.

    Equal points do not dominate each other: all of them stay.
    """
    return tuple(i for i, point in enumerate(points) if not any(dominates(other, point) for other in points))


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
