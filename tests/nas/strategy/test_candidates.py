from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import numpy as np

from nas.domain.objective import OutcomeConstraint, Problem
from nas.strategy.candidates import SAMPLE_SIZE, CandidatePool
from nas.strategy.pricing import PricedSpace
from nas.strategy.seen import Seen, Tried
from tests.fakes.landscapes import LARGE, MEDIUM, landscape

WIDE = landscape(0, MEDIUM)


def nothing(cardinalities: Sequence[int]) -> Seen:
    return Seen(Tried(cardinalities))


def a_pool(*bounds: OutcomeConstraint) -> CandidatePool:
    return CandidatePool(PricedSpace(WIDE.space, WIDE.costs), Problem(constraints=bounds))


def test_small_spaces_are_enumerated_without_what_was_seen() -> None:
    pool = a_pool()
    seen = {(0,) * 9, (1, 1, 1, 1, 1, 1, 1, 1, 1)}
    codes = pool.unseen(nothing(MEDIUM) | seen, np.random.default_rng(0), np.zeros((0, 9), dtype=np.int16))
    rows = {tuple(row) for row in codes.tolist()}
    assert len(rows) == len(codes) == WIDE.space.size - 2
    assert not rows & seen


def test_samples_of_large_spaces_hold_the_neighbours_of_the_anchors(monkeypatch) -> None:
    monkeypatch.setattr("nas.strategy.candidates.EXHAUSTIVE_LIMIT", 100)
    monkeypatch.setattr("nas.strategy.candidates.SAMPLE_SIZE", 64)
    pool = a_pool()
    anchor = np.array([[2, 0, 1, 1, 0, 1, 2, 0, 2]], dtype=np.int16)
    sampled = {tuple(row) for row in pool.unseen(nothing(MEDIUM), np.random.default_rng(0), anchor).tolist()}
    for stage, cardinality in enumerate(MEDIUM):
        for variant in range(cardinality):
            neighbour = anchor[0].copy()
            neighbour[stage] = variant
            assert tuple(neighbour.tolist()) in sampled
    assert len(sampled) < WIDE.space.size / 4


def test_a_tight_bound_still_leaves_candidates_in_a_large_space(monkeypatch) -> None:
    monkeypatch.setattr("nas.strategy.candidates.EXHAUSTIVE_LIMIT", 100)
    monkeypatch.setattr("nas.strategy.candidates.SAMPLE_SIZE", 400)
    tight = WIDE.costs.tightest(WIDE.space, "gmacs") * 1.05
    pool = a_pool(OutcomeConstraint(metric="gmacs", at_most=tight))
    codes = pool.unseen(nothing(MEDIUM), np.random.default_rng(0), np.zeros((0, 9), dtype=np.int16))
    assert len(codes) > 3
    assert pool.priced.prices("gmacs", codes).max() <= tight * (1 + 1e-9)


def test_memory_of_a_sample_does_not_grow_with_the_space() -> None:
    land = landscape(1, LARGE)
    stages = land.space.stages
    repeated = tuple(
        choices.evolve(stage=f"{choices.stage}{copy}") for copy in range(3) for choices in stages
    )  # 1.7e14 architectures
    entries = {
        f"{entry.stage}{copy}/{entry.variant}": entry.evolve(stage=f"{entry.stage}{copy}")
        for copy in range(3)
        for entry in land.costs.library.entries.values()
    }
    costs = land.costs.evolve(
        stages=tuple(choices.stage for choices in repeated), library=land.costs.library.evolve(entries=entries)
    )
    pool = CandidatePool(PricedSpace(land.space.evolve(stages=repeated), costs), Problem())
    tracemalloc.start()
    seen = nothing(pool.priced.cardinalities) | [(0,) * 27]
    codes = pool.unseen(seen, np.random.default_rng(0), np.zeros((1, 27), dtype=np.int16))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 10_000 < len(codes) <= 2 * SAMPLE_SIZE
    assert peak < 100 * 2**20
