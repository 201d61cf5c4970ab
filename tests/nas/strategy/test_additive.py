from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.domain.objective import OutcomeConstraint, Problem
from nas.domain.pareto import non_dominated
from nas.strategy.additive import additive_front, merged_front, non_dominated_rows, spread
from nas.strategy.candidates import CandidatePool
from nas.strategy.pricing import PricedSpace, sum_by_stage
from tests.fakes.landscapes import MEDIUM, landscape


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
def test_the_fast_front_holds_the_values_of_the_plain_one(points: list[tuple[int, int]]) -> None:
    costs, losses = np.array(points, dtype=float).T
    fast = non_dominated_rows(costs, losses)
    assert sorted(points[row] for row in fast) == sorted({points[row] for row in non_dominated(points)})
    assert list(costs[fast]) == sorted(costs[fast])


@settings(max_examples=15)
@given(st.integers(0, 1000), st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_merging_stage_by_stage_gives_the_enumerated_front(seed: int, cardinalities: list[int]) -> None:
    land = landscape(seed, tuple(cardinalities))
    priced = PricedSpace(land.space, land.costs)
    pool = CandidatePool(priced, Problem())
    enumerated, merged = additive_front(pool, "gmacs"), merged_front(priced, "gmacs")
    assert len(enumerated) == len(merged)
    for values in (
        lambda codes: priced.prices("gmacs", codes),
        lambda codes: sum_by_stage(priced.block_losses, codes),
    ):
        assert values(enumerated) == pytest.approx(values(merged))


def test_the_front_respects_exact_bounds() -> None:
    land = landscape(2, MEDIUM)
    priced = PricedSpace(land.space, land.costs)
    cap = float(np.median(priced.prices("params", CandidatePool(priced, Problem()).everything())))
    pool = CandidatePool(priced, Problem(constraints=(OutcomeConstraint(metric="params", at_most=cap),)))
    front = additive_front(pool, "gmacs")
    assert len(front)
    assert priced.prices("params", front).max() <= cap


def test_prices_agree_with_the_exact_costs() -> None:
    land = landscape(4, MEDIUM)
    priced = PricedSpace(land.space, land.costs)
    codes = CandidatePool(priced, Problem()).everything()[::577]
    for metric in ("params", "gmacs", "gmacs_without_attention_products"):
        exact = [land.costs.of(land.space.decode(tuple(row)))[metric].mean for row in codes.tolist()]
        assert priced.prices(metric, codes) == pytest.approx(exact, rel=1e-12)


def test_spread_points_are_distinct_and_reach_both_ends() -> None:
    costs, losses = np.linspace(1, 0, 50), np.geomspace(1e-4, 1, 50)
    chosen = spread(costs, losses, 8)
    assert len(set(chosen)) == 8
    assert {0, 49} <= set(chosen)
    assert len(set(spread(costs, losses, 1000))) == 50
    assert spread(costs[:0], losses[:0], 3) == []
