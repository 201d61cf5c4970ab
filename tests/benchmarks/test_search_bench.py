"""The bench of search methods on a table of 64 rows whose optimum is known."""

from __future__ import annotations

import csv
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.search.landscape import Bounds, Landscape, mean_above_zero
from benchmarks.search.methods import Codes, Method, Task, load_methods
from benchmarks.search.protocol import Ledger, run, task_of, warm_up
from benchmarks.search.scores import scores
from benchmarks.search.synthetic import MirrorPairs, synthetic
from benchmarks.search.tables import BadTable, TableOptions, load_table

ROOT = Path(__file__).parents[2]
METHODS = ("random", "optuna-nsga2", "additive")
VARIANTS = ("big", "middle", "small", "none")


def rows() -> list[dict[str, Any]]:
    found = []
    for a, b, c in itertools.product(range(4), repeat=3):
        loss = (0.3 * a**1.5 + 0.8 * b + 0.2 * c * a) ** 1.2
        codes = {"a": VARIANTS[a], "b": VARIANTS[b], "c": VARIANTS[c]}
        found.append(
            {**codes, "flops": 100 - 10 * a - 13 * b - 7 * c, "err": round(1 + loss, 4), "ms": 30 - 3 * a - 2 * b}
        )
    return found


def write(path: Path, table: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write(tmp_path / "small.csv", rows())


@pytest.fixture
def blocks(tmp_path: Path) -> Path:
    known = [
        {"stage": stage, "variant": variant, "block_loss": v * weight}
        for stage, weight in (("a", 0.3), ("b", 0.9), ("c", 0.1))
        for v, variant in enumerate(VARIANTS)
    ]
    return write(tmp_path / "blocks.csv", known)


def options(table: Path, **changes: Any) -> TableOptions:
    given = {"choices": ("a", "b", "c"), "cost": "flops", "loss": "err", "epsilon": 3.0, **changes}
    return TableOptions(table=table, **given)


def command(table: Path, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    words = ["--table", table, "--choices", "a,b,c", "--cost", "flops", "--loss", "err", "--epsilon", "3"]
    words += ["--evaluations", "10", "--seeds", "2", "--methods", ",".join(METHODS), "--results", folder, *more]
    line = [sys.executable, "-m", "benchmarks.search", *(str(word) for word in words)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_table_of_anybodys_gives_figures_of_every_method_and_a_second_command_makes_nothing_anew(
    table: Path, blocks: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    first = command(table, folder, "--block-loss", str(blocks), "--json")
    assert first.returncode == 0, first.stderr
    methods = json.loads(first.stdout)["methods"]
    assert set(methods) == set(METHODS)
    for row in methods.values():
        assert row["regret"].keys() == row["hypervolume"].keys() == {"10"}
        assert 0 <= row["regret"]["10"]["low"] <= row["regret"]["10"]["mean"] <= row["regret"]["10"]["high"]
        assert 0 < row["hypervolume"]["10"]["median"] <= 1
        assert 0 <= row["solved"] <= 1
        assert row["cpu_s_per_suggestion"] >= 0
    assert "| random | 2 |" in (folder / "search-small.md").read_text()

    kept = folder / "search-small.runs.jsonl"
    lines = kept.read_text().splitlines()
    assert len(lines) == len(METHODS) * 2 * 2
    # As if killed while it wrote the last line: that run alone is made again, and comes out the same.
    kept.write_text("\n".join([*lines[:-1], lines[-1][:40]]))
    second = command(table, folder, "--block-loss", str(blocks), "--json")
    assert "1 runs to make, 11 are there" in second.stderr
    again = json.loads(second.stdout)["methods"]
    timeless = ("regret", "hypervolume", "solved")
    assert {n: [r[k] for k in timeless] for n, r in again.items()} == {
        n: [r[k] for k in timeless] for n, r in methods.items()
    }


def test_faults_are_told_all_at_once_with_code_2(tmp_path: Path) -> None:
    table = rows()
    table[5]["err"] = "much"
    table[9] = dict(table[8])
    bad = write(tmp_path / "bad.csv", table)
    told = command(bad, tmp_path, "--latency", "watts", "--latency-at-most", "4")
    assert told.returncode == 2
    assert told.stdout == ""
    assert "no column 'watts'" in told.stderr
    assert "'much' in line 7" in told.stderr
    assert "lines 10 and 11 are the same architecture" in told.stderr
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epsilon": 0.5}, "no architecture has err of at most 0.5: the least err is 1"),
        ({"epsilon": float("nan")}, "epsilon has to be a positive number"),
        ({"latency_at_most": 3.0}, "needs --latency"),
        ({"choices": ("a", "b")}, "are the same architecture, and 47 more repeat"),
        ({"choices": ("a", "b", "cc")}, "no column 'cc'"),
        ({"cost": "err"}, "asked for twice"),
        ({"table": Path("/nowhere/t.csv")}, "cannot be read"),
    ],
)
def test_each_fault_has_its_sentence(table: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadTable, match=sentence):
        load_table(options(**{"table": table, **changes}))


def test_an_empty_table_and_missing_block_losses_are_faults(table: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("a,b,c,flops,err\n")
    with pytest.raises(BadTable, match="has no rows"):
        load_table(options(empty))
    few = write(tmp_path / "few.csv", [{"stage": "a", "variant": "middle", "block_loss": 0.1}])
    with pytest.raises(BadTable, match="no block loss of a/small and 7 more"):
        load_table(options(table, block_loss=few))


def test_a_table_says_what_is_in_it(table: Path, blocks: Path) -> None:
    land = load_table(options(table, block_loss=blocks, latency="ms", latency_at_most=25.0))
    everything = rows()
    feasible = [row["flops"] for row in everything if row["err"] <= 3 and row["ms"] <= 25]
    assert land.optimum == min(feasible)
    assert land.dearest == 100
    assert land.original == (0, 0, 0)
    # Variants go from dear to cheap, and costs that add up are found to do so.
    assert land.cost(np.array([[1, 2, 3]], dtype=np.int16))[0] == 100 - 10 - 26 - 21
    assert [table.max() for table in land.additive_cost] == pytest.approx([30, 39, 21])


def test_measurements_are_drawn_from_replicates_and_the_truth_is_the_loss(tmp_path: Path) -> None:
    table = [{**row, "err_1": row["err"] - 0.1, "err_2": row["err"] + 0.1} for row in rows()]
    land = load_table(options(write(tmp_path / "noisy.csv", table)))
    truth = float(land.loss(np.array([[0, 1, 2]], dtype=np.int16))[0])
    seen = {round(land.measure((0, 1, 2), seed).loss - truth, 6) for seed in range(20)}
    assert seen == {-0.1, 0.1}
    assert land.measure((0, 1, 2), 3) == land.measure((0, 1, 2), 3)


class Stubborn(Method):
    """Always wants the same three things, of which one does not exist."""

    patience = 2

    def tell(self, codes: Codes, measured: Any) -> None:
        pass

    def ask(self) -> Codes:
        return (3, 3, 3)


def test_nobody_evaluates_twice_or_what_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    incomplete = [row for row in rows() if (row["a"], row["b"]) != ("none", "none")]
    land = load_table(options(write(tmp_path / "gaps.csv", incomplete)))
    assert not land.holds(np.array([[3, 3, 0]], dtype=np.int16))[0]
    assert land.cost(np.array([[3, 3, 0]], dtype=np.int16))[0] == pytest.approx(100 - 30 - 39)
    from benchmarks.search.methods import Entry

    monkeypatch.setitem(load_methods(), "stubborn", Entry(Stubborn))
    stubborn = run(land, "epsilon", "stubborn", 0, 20)
    assert (stubborn["stand_ins"], stubborn["absent"], stubborn["repeats"]) == (12, 36, 0)
    for name in ("random", "optuna-tpe", "optuna-nsga2", "pymoo-nsga2"):
        whole = run(land, "front", name, 0, 70)
        assert len(whole["regret"]) == len(incomplete)
        assert whole["hypervolume"][-1] == 1


def test_everybody_begins_with_the_same_eight_evaluations(table: Path, blocks: Path) -> None:
    land = load_table(options(table, block_loss=blocks))
    ledgers = []
    for _ in range(2):
        ledger = Ledger(land, 4)
        warm_up(task_of(land, "epsilon", 4, 60), ledger)
        ledgers.append(ledger)
    assert list(ledgers[0].seen) == list(ledgers[1].seen)
    assert len(ledgers[0].seen) == 8
    assert next(iter(ledgers[0].seen)) == land.original


def test_regret_counts_the_dearest_until_something_feasible_is_found(table: Path) -> None:
    land = load_table(options(table, epsilon=1.0))
    cheap, teacher = [3, 3, 3], [0, 0, 0]
    found = scores(land, "epsilon", np.array([cheap, teacher], dtype=np.int16))
    optimum = min(row["flops"] for row in rows() if row["err"] <= 1)
    assert optimum < 100
    assert found["regret"] == pytest.approx([100 / optimum - 1] * 2, abs=1e-5)
    everything = scores(land, "grid", land.codes)
    assert everything["regret"][-1] == 0
    assert everything["within"] == max(everything["grid"])


def brute_force(land: Landscape) -> tuple[np.ndarray, np.ndarray]:
    grid = np.indices(land.cardinalities, dtype=np.int16).reshape(len(land.cardinalities), -1).T
    return land.cost(grid), land.loss(grid)


def test_the_front_of_mirror_pairs_is_exact() -> None:
    land = MirrorPairs(3, (4,) * 6)
    costs, losses = brute_force(land)
    assert land.optimum == pytest.approx(costs[losses <= land.bounds.epsilon].min())
    for epsilon, optimum in land.epsilon_grid:
        assert optimum == pytest.approx(costs[losses <= epsilon * (1 + 1e-12)].min())


def test_shuffled_block_losses_mislead_about_the_same_truth() -> None:
    honest, shuffled = synthetic(5), synthetic(5, shuffled=True)
    assert np.array_equal(honest.losses, shuffled.losses)
    assert honest.bounds == shuffled.bounds == Bounds(honest.bounds.epsilon)
    assert 0.003 <= honest.is_feasible(honest.codes).mean() <= 0.007
    assert honest.block_losses is not None
    assert shuffled.block_losses is not None
    pairs = list(zip(honest.block_losses, shuffled.block_losses, strict=True))
    assert all(sorted(a) == sorted(b) for a, b in pairs)
    assert any(not np.array_equal(a, b) for a, b in pairs)


def test_a_task_tells_peers_their_bounds(table: Path) -> None:
    land = load_table(options(table, latency="ms", latency_at_most=25.0))
    task: Task = task_of(land, "epsilon", 0, 60)
    measured = land.measure((3, 0, 0), 0)
    assert task.violations(measured) == pytest.approx([measured.loss / 3 - 1, 21 / 25 - 1])


@pytest.mark.parametrize("centre", [-1.0, -0.2, 0.0, 0.5, 3.0])
def test_a_loss_bought_with_noise_is_what_may_be_expected_of_one_that_cannot_be_negative(centre: float) -> None:
    draws = centre + 0.4 * np.random.default_rng(0).normal(size=2_000_000)
    assert mean_above_zero(centre, 0.4) == pytest.approx(draws[draws > 0].mean(), rel=0.02)


def test_a_bought_loss_is_finite_however_unlucky_its_measurement_and_exact_without_noise() -> None:
    assert 0 < mean_above_zero(-40.0, 0.4) < 0.01
    assert [mean_above_zero(centre, 0.0) for centre in (-1.0, 2.0)] == [0.0, 2.0]
