"""Which architectures of an earlier search a new one should try first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from api.service.points import Columns
from api.service.verdicts import front_of, violation
from nas.domain.architecture import Architecture
from nas.domain.objective import Problem
from nas.domain.value import FrozenDict


def best_architectures(columns: Columns, problem: Problem) -> Iterator[Architecture]:
    """Architectures worth trying again, the most telling first and none twice.

    The best one; then the front, its ends first and then halving the widest gap, so that any number of
    them is spread along it; then the others by how little they violate the bounds.
    """
    front = front_of(columns, problem)
    order = [] if front.best is None else [front.best]
    order += [front.rows[place] for place in _spread(len(front.rows))]
    violations = violation(columns, problem)
    order += [int(row) for row in np.argsort(violations, kind="stable") if np.isfinite(violations[row])]
    for row in dict.fromkeys(order):
        yield Architecture(choices=FrozenDict(columns.architecture(row)))


def _spread(count: int) -> list[int]:
    """Places 0 to count - 1, so ordered that every beginning is spread over the whole."""
    places = [0, count - 1] if count > 1 else list(range(count))
    gaps = [(0, count - 1)]
    while gaps:
        low, high = gaps.pop(0)
        middle = (low + high) // 2
        if low < middle < high:
            places.append(middle)
            gaps += [(low, middle), (middle, high)]
    return places
