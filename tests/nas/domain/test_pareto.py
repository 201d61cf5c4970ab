from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from nas.domain.pareto import dominates, non_dominated

coordinate = st.integers(0, 6).map(float)


@given(st.integers(1, 3).flatmap(lambda axes: st.lists(st.tuples(*[coordinate] * axes), max_size=30)))
def test_exactly_the_points_that_nothing_dominates_stay(points: list[tuple[float, ...]]) -> None:
    expected = [i for i, point in enumerate(points) if not any(dominates(other, point) for other in points)]
    assert list(non_dominated(points)) == expected


def test_ten_thousand_points_are_no_matter_of_pairs() -> None:
    points = [(float(i), float(10_000 - i)) for i in range(10_000)]
    started = time.perf_counter()
    assert len(non_dominated(points)) == 10_000
    assert time.perf_counter() - started < 2.0  # a hundred million pairs would take minutes
