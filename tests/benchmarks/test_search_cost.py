"""The bench of what a suggestion costs."""

from __future__ import annotations

import pytest

from benchmarks.search import cost
from benchmarks.search.synthetic import MirrorPairs


def test_a_history_grows_to_its_size_without_repeats_and_the_engine_knows_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cost, "DRIVEN", 9)
    history = cost.History(MirrorPairs(0, (4,) * 4), "front")
    history.grow_to(9)
    assert len(history.seen) == 9
    history.grow_to(40)
    assert len(history.seen) == len(history.engine.strategy.record) == 40
    assert history.step() > 0
    assert len(history.seen) == 41


def test_every_size_has_its_figures() -> None:
    rows = cost.measured("24 stages", "epsilon", [9, 10], 1)
    assert [row["trials"] for row in rows] == [9, 10]
    for row in rows:
        assert 0 < row["median s"] <= row["95 % s"] <= row["most s"]
        assert row["peak MB"] > 0
        assert len(row["cpu_s"]) == 1
