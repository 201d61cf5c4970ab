"""NAS-Bench-Macro as a landscape, on a file of its form: networks with several names, and bought block losses."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.search import protocol
from benchmarks.search.listed import TableLandscape
from benchmarks.search.macro import LAYERS, LETTERS, REMOVED, SAME_WIDTH, nas_bench_macro, one_name
from benchmarks.search.methods import Codes, Entry, Method, Task
from benchmarks.search.protocol import run, task_of
from nas.domain.metric import GMACS
from nas.strategy.candidates import CandidatePool

SAVED = (0, 1, 1.6)
"""Of what a layer costs, by variant."""
LOST = (0, 0.4, 0.7)


@pytest.fixture
def land(tmp_path: Path) -> TableLandscape:
    """Networks whose cost and errors depend on the removals of layers of one width by their number alone."""
    table = {}
    for codes in itertools.product(range(3), repeat=LAYERS):
        named = one_name(np.array([codes], dtype=np.int16))[0]
        weights = np.arange(1, LAYERS + 1)
        cost = 40e6 - 1e6 * float(np.take(SAVED, named) @ np.ones(LAYERS))
        wrong = 7 + float(np.take(LOST, named) @ weights) / 10
        table["".join(LETTERS[v] for v in codes)] = {
            "test_acc": [100 - wrong - 0.1, 100 - wrong, 100 - wrong + 0.1],
            "flops": cost,
        }
    path = tmp_path / "macro.json"
    path.write_text(json.dumps(table))
    return nas_bench_macro(path)


def test_a_network_has_one_name_whichever_layer_of_one_width_is_removed(land: TableLandscape) -> None:
    everything = np.array(list(land.space.indices()), dtype=np.int16)
    named = land.canonical(everything)
    assert np.array_equal(land.canonical(named), named)
    assert land.holds(named).all()
    assert len(np.unique(named, axis=0)) == land.size == 7 * 7 * 3**4  # the paper's 3,969
    for first, second in SAME_WIDTH:
        assert not ((named[:, first] == REMOVED) & (named[:, second] != REMOVED)).any()
        pair = [first, second]
        assert np.array_equal(np.sort(named[:, pair], axis=1), np.sort(everything[:, pair], axis=1))


def test_our_engine_is_offered_every_network_once(land: TableLandscape) -> None:
    task = task_of(land, "front", 0, 20)
    pool = CandidatePool(task.prices, task.problem).everything()
    assert len(pool) == land.size
    assert task.prices.prices(GMACS.name, pool) == pytest.approx(land.cost(pool))


def test_removals_are_bought_and_other_losses_read_off_by_what_they_save(land: TableLandscape) -> None:
    assert len(land.bought) == len(set(land.bought)) == 6  # of eight, two have a second name
    assert all(sorted(codes) == [0] * (LAYERS - 1) + [REMOVED] for codes in land.bought)
    known = land.known_block_losses(0)
    assert known is not None
    for first, second in SAME_WIDTH:
        assert np.array_equal(known[first], known[second])
    for losses in known:
        assert losses[0] == 0 < losses[1] < losses[2]
        assert losses[1] / losses[2] == pytest.approx(SAVED[1] / SAVED[2])


class SecondNames(Method):
    """Asks for one network again and again, by its other name."""

    patience = 2

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.heard: list[tuple[Codes, float]] = []

    def ask(self) -> Codes:
        return (1, 0, 0, REMOVED, 1, 0, 0, 0)

    def tell(self, codes, measured) -> None:  # type: ignore[no-untyped-def]  # the base class has them
        self.heard.append((codes, measured.loss))


def test_a_second_name_of_a_known_network_is_a_repeat_and_costs_nothing(
    land: TableLandscape, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[SecondNames] = []

    def make(task: Task) -> SecondNames:
        made.append(SecondNames(task))
        return made[-1]

    known = dict(protocol.load_methods()) | {"second-names": Entry(make)}
    monkeypatch.setattr(protocol, "load_methods", lambda: known)
    warm = 8
    result = run(land, "epsilon", "second-names", 0, warm + 2)
    assert (result["repeats"], result["stand_ins"], result["absent"]) == (3, 1, 0)
    asked = (1, 0, 0, REMOVED, 1, 0, 0, 0)
    values = {loss for codes, loss in made[0].heard if codes == asked}
    assert len(values) == 1
    assert len(made[0].heard) == warm + 2 + 3
