"""What was tried is known again, in small spaces and in those without a number for every architecture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.strategy.seen import Seen, Tried

SPACES = {"small": (2, 3, 4, 3), "beyond 2^63": (4,) * 40}


@pytest.mark.parametrize("cardinalities", SPACES.values(), ids=SPACES)
@given(st.data())
def test_it_is_a_set(cardinalities: tuple[int, ...], data: st.DataObject) -> None:
    one = st.tuples(*(st.integers(0, cardinality - 1) for cardinality in cardinalities))
    told, pending, asked = (data.draw(st.lists(one, max_size=12)) for _ in range(3))
    tried = Tried(cardinalities)
    for codes in told:
        tried.add(codes)
    seen = Seen(tried) | pending
    everything = {*told, *pending}
    assert len(tried) == len(set(told))
    assert len(seen) == len(everything)
    assert seen.pending == everything - set(told)
    rows = [*asked, *told, *pending]
    assert [codes in seen for codes in rows] == [codes in everything for codes in rows]
    table = np.array(rows, dtype=np.int16).reshape(-1, len(cardinalities))
    assert seen.among(table).tolist() == [codes in everything for codes in rows]
    assert tried.among(table).tolist() == [codes in set(told) for codes in rows]


def test_neighbours_in_a_huge_space_are_told_apart() -> None:
    random = np.random.default_rng(1)
    codes = np.unique(random.integers(0, 4, (20_000, 40)) * (random.random((20_000, 40)) < 0.08), axis=0)
    tried = Tried((4,) * 40)
    for row in codes.tolist():
        tried.add(row)
    assert len(tried) == len(codes)
