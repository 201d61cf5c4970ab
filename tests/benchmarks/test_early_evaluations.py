"""Evaluations that end early: what the bench makes of the product's rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.search.catalogue import REFERENCE, make_landscape, reference_options, table_spec
from benchmarks.search.landscape import Landscape, Measured
from benchmarks.search.listed import COMMON_SAMPLES
from benchmarks.search.methods import load_methods
from benchmarks.search.ours import Ours
from benchmarks.search.protocol import limit_of, run, task_of
from benchmarks.search.report import tables
from benchmarks.search.rungs import SHARES, rungs_of_noise
from benchmarks.search.runs import groups_of, out_of_place
from benchmarks.search.scores import scores
from benchmarks.search.summary import by_method
from benchmarks.search.synthetic import MirrorPairs, synthetic
from benchmarks.search.tables import TableOptions, load_table

EARLY = "blocksmith-early"


def drawn(land: Landscape, count: int) -> list[tuple[int, ...]]:
    return [tuple(row) for row in land.sample(count, np.random.default_rng(1)).tolist()]


def test_noise_of_the_first_samples_is_as_large_as_their_number_says_and_part_of_the_whole() -> None:
    generator = np.random.default_rng(0)
    whole = np.exp(0.06 * generator.normal(size=4000))
    walks = [rungs_of_noise(1.0, float(loss), 0.06, generator) for loss in whole]
    assert [rung.share for rung in walks[0]] == sorted(SHARES)
    for n, share in enumerate(sorted(SHARES)):
        errors = np.log([walk[n].loss for walk in walks])
        assert errors.std() == pytest.approx(0.06 / share**0.5, rel=0.06)
        # Of independent samples, the first ones and all of them have this much in common.
        assert np.corrcoef(errors, np.log(whole))[0, 1] == pytest.approx(share**0.5, abs=0.04)
        assert walks[0][n].sem == pytest.approx(walks[0][n].loss * 0.06 / share**0.5)


@pytest.mark.parametrize("land", [synthetic(2), MirrorPairs(2)], ids=["syn", "syn-18"])
def test_what_is_not_stopped_is_what_a_whole_evaluation_gives(land: Landscape) -> None:
    codes_drawn = drawn(land, 300)
    epsilon = float(np.median(land.loss(np.array(codes_drawn, dtype=np.int16))))
    found = {codes: land.measure_early(codes, 5, epsilon) for codes in codes_drawn}
    assert {measured.share for measured in found.values()} == {*SHARES, 1.0}
    for codes, measured in found.items():
        assert measured == land.measure_early(codes, 5, epsilon)
        assert measured.share < 1 or measured == land.measure(codes, 5)
        assert measured.share == 1 or measured.loss - 3 * measured.sem > epsilon
        assert land.measure_early(codes, 5, np.inf) == land.measure(codes, 5)


def test_on_our_own_truth_nothing_is_stopped_wrongly_and_more_than_half_is_saved() -> None:
    if not REFERENCE.exists():
        pytest.skip("no table")
    land = make_landscape(table_spec(reference_options(), "reference"), 0)
    epsilon = land.bounds.epsilon
    codes = drawn(land, 1500)
    shares = np.array([land.measure_early(one, 0, epsilon).share for one in codes])
    feasible = land.loss(np.array(codes, dtype=np.int16)) <= epsilon
    assert feasible.any()
    assert (shares[feasible] == 1).all()
    assert 0.3 < shares.mean() < 0.5


def test_a_table_offers_it_only_with_rough_losses_and_their_standard_error(tmp_path: Path) -> None:
    rows = ["a,cost,err,err_sem,err_samples_1_8,err_samples_1_4,err_samples_1_2"]
    rows += ["x,9,1.0,0.1,1.2,1.2,1.1", "y,5,5.0,0.1,9.0,2.2,5.1", "z,1,9.0,0.1,9.0,8.0,9.1"]
    text = "\n".join(rows)
    (tmp_path / "t.csv").write_text(text)
    (tmp_path / "u.csv").write_text(text.replace("err_sem", "spread"))
    rough, whole = (
        load_table(TableOptions(tmp_path / name, ("a",), "cost", "err", 2.0)) for name in ("t.csv", "u.csv")
    )
    assert rough.measure_early((0,), 0, 2.0) == rough.measure((0,), 0)
    # An eighth would be 8 samples, too few to ask; 2.2 is not clearly beyond 2 at a quarter; the half tells.
    assert rough.measure_early((1,), 0, 2.0) == Measured(5.0, 5.1, 0.1 / 0.5**0.5, None, 0.5, COMMON_SAMPLES)
    assert rough.measure_early((2,), 0, 2.0) == Measured(1.0, 8.0, 0.1 / 0.25**0.5, None, 0.25, COMMON_SAMPLES)
    assert whole.measure_early((2,), 0, 2.0) == whole.measure((2,), 0)
    entry = load_methods()[EARLY]
    assert out_of_place(entry, rough) is None
    assert out_of_place(entry, whole) is not None


def test_the_limit_is_the_bound_or_the_greatest_of_a_grid_and_the_front_has_none() -> None:
    land = synthetic(0)
    limits = {kind: limit_of(task_of(land, kind, 0, 60)) for kind in ("epsilon", "grid", "front")}
    assert limits == {
        "epsilon": land.bounds.epsilon,
        "grid": max(epsilon for epsilon, _ in land.epsilon_grid),
        "front": None,
    }
    groups, _ = groups_of({"syn": {"kind": "syn"}}, ["epsilon", "grid", "front"], [EARLY], [0], 60)
    assert {group.task for group in groups} == {"epsilon", "grid"}


def test_the_engine_hears_the_rough_value_and_its_share() -> None:
    method = load_methods()[EARLY].make(task_of(synthetic(0), "epsilon", 0, 60))
    assert isinstance(method, Ours)
    method.tell((1, 1, 1, 1, 1, 1), Measured(3.0, 0.5, 0.1, None, 0.125))
    told = method.strategy.record.columns()
    assert told.rough.tolist() == [True]
    assert told.measured["noise_mse"][0, :2].tolist() == [0.5, 0.1]


def test_what_was_stopped_is_never_a_find() -> None:
    land = synthetic(0)
    best = land.codes[land.is_feasible(land.codes)]
    best = best[land.cost(best).argsort()][:1]
    for kind in ("epsilon", "grid"):
        found, stopped = (scores(land, kind, best, np.array([whole])) for whole in (True, False))
        assert found == scores(land, kind, best)
        assert stopped["regret"][0] > found["regret"][0]
        assert stopped["hypervolume"] == [0.0]


def test_a_run_tells_what_its_evaluations_cost_and_the_table_what_was_saved() -> None:
    heads = {"landscape": "syn", "task": "epsilon", "evaluations": 20, "seed": 0}
    runs = [run(synthetic(0), "epsilon", name, 0, 20) | heads | {"method": name} for name in (EARLY, "random")]
    early, whole = (one["evaluation_cost"] for one in runs)
    assert whole == list(range(1, 21))
    assert runs[1]["stopped"] == 0
    assert runs[0]["stopped"] == sum(step < 1 for step in np.diff([0.0, *early]))
    assert 0 < runs[0]["stopped"] < 20
    (rows,) = tables(by_method(runs), [], ()).values()
    shown = {row["method"]: row for row in rows}
    assert shown[EARLY]["cost of 20"] == f"{early[-1]:.1f}"
    assert float(shown[EARLY]["saved"].rstrip("%")) == pytest.approx(100 * (1 - early[-1] / 20), abs=0.51)
    assert shown["random"]["saved"] == "0%"
    del runs[1]["evaluation_cost"]  # as runs were written before
    assert tables(by_method(runs), [], ()).popitem()[1] == rows
