"""What the bench makes of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.search.catalogue import make_landscape
from benchmarks.search.landscape import GRID
from benchmarks.search.methods import load_methods
from benchmarks.search.ours import WARM_UP
from benchmarks.search.report import tables
from benchmarks.search.runs import Records, groups_of
from benchmarks.search.summary import by_method, paired

SPECS = {"syn": {"kind": "syn"}}


def a_run(method: str, seed: int, curve: Sequence[float], task: str = "epsilon", **more: Any) -> dict[str, Any]:
    return {
        "landscape": "syn",
        "fingerprint": make_landscape(SPECS["syn"], seed).fingerprint,
        "task": task,
        "method": method,
        "seed": seed,
        "evaluations": len(curve),
        "regret": list(curve),
        "hypervolume": [1 - value for value in curve],
        "within": next((n for n, value in enumerate(curve, start=1) if value <= 0.02), None),
        "grid": [None] * GRID,
        "cpu_s": [0.1],
        "peak_mb": 100,
        "repeats": 0,
        "stand_ins": 0,
        **more,
    }


def curve(end: float, evaluations: int = 60) -> list[float]:
    """Falls to `end` at the 30th evaluation."""
    return [1.0 if n < 30 else end for n in range(1, evaluations + 1)]


def test_methods_stand_from_best_to_worst_each_with_its_own_number_of_seeds() -> None:
    runs = [a_run("middling", seed, curve(0.3)) for seed in range(2)]
    runs += [a_run("worst", seed, curve(0.5)) for seed in range(3)]
    runs += [a_run("best", 0, curve(0.01))]
    ((title, rows),) = tables(by_method(runs), paired(runs), {"syn"}).items()
    assert "measurements are exact" in title
    assert [(row["method"], row["seeds"]) for row in rows] == [("best", 1), ("middling", 2), ("worst", 3)]
    assert [row["evaluations to 2 %"] for row in rows] == ["30", "more than 60", "more than 60"]
    assert [row["solved at 60"] for row in rows] == ["100%", "0%", "0%"]
    assert rows[1]["at 20"] == "1.000 / 1.000 (1.000 to 1.000)"
    assert rows[1]["at 60"] == "0.300 / 0.300 (0.300 to 0.300)"


def test_a_recipe_with_more_evaluations_is_compared_where_both_have_figures() -> None:
    runs = [a_run("short", 0, curve(0.3), "grid"), a_run("long", 0, [*curve(0.4), *[0.0] * 268], "grid")]
    ((_, rows),) = tables(by_method(runs), paired(runs), ()).items()
    assert [row["method"] for row in rows] == ["short", "long"]
    assert [row["at 328"] for row in rows] == ["", "0.000 / 0.000 (0.000 to 0.000)"]
    assert [row["evaluations to 2 % at all ε"] for row in rows] == ["more than 60", "61"]


def test_what_a_part_adds_is_told_seed_by_seed() -> None:
    whole = {0: 0.1, 1: 0.4, 2: 0.2}
    without = {0: 0.2, 1: 0.5, 5: 9.0}  # far apart between seeds, the same difference in each
    runs = [a_run("blocksmith", seed, curve(end)) for seed, end in whole.items()]
    runs += [a_run("blocksmith-without-block-losses", seed, curve(end)) for seed, end in without.items()]
    runs += [a_run("random", 0, curve(0.9))]
    (row,) = paired(runs)
    assert (row["variant"], row["seeds"]) == ("blocksmith-without-block-losses", 2)
    assert row["60"] == pytest.approx({"median": -0.1, "mean": -0.1, "low": -0.1, "high": -0.1})
    assert row["20"]["mean"] == 0
    shown = tables(by_method(runs), [row], ())
    title = next(title for title in shown if title.startswith("blocksmith minus"))
    assert "below 0 the engine is better" in title
    assert shown[title][0]["at 60"] == "-0.1000 (-0.1000 to -0.1000)"


def test_a_report_takes_all_seeds_there_are_but_no_run_of_another_landscape_or_length(tmp_path: Path) -> None:
    load_methods()
    groups, _ = groups_of(SPECS, ["epsilon"], ["random"], [0], 60)
    records = Records(tmp_path / "search.runs.jsonl")
    for seed in (0, 7):
        records.add(a_run("random", seed, curve(0.3)))
    records.add(a_run("random", 3, curve(0.3), fingerprint="another"))
    records.add(a_run("random", 4, curve(0.3, evaluations=40)))
    assert [run["seed"] for run in records.of(groups)] == [0]
    assert [run["seed"] for run in records.of(groups, every_seed=True)] == [0, 7]


def test_the_papers_recipe_gets_forty_evaluations_for_every_epsilon_of_the_grid_and_plays_nowhere_else() -> None:
    load_methods()
    groups, _ = groups_of(SPECS, ["epsilon", "front", "grid"], ["toc-sr-40-each", "random"], [0], 60)
    assert {(group.method, group.task, group.evaluations) for group in groups} == {
        ("toc-sr-40-each", "grid", WARM_UP + GRID * 40),
        *(("random", task, 60) for task in ("epsilon", "front", "grid")),
    }


def test_packed_runs_are_found_again_extended_and_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "search.runs.jsonl"
    records = Records(path)
    for seed in (1, 0):
        records.add(a_run("random", seed, curve(0.3)))
    packed = records.pack()
    assert not path.exists()
    Records(path).add(a_run("random", 2, curve(0.4)))
    found = Records(path)
    assert {run["seed"]: run["regret"][-1] for run in found.runs.values()} == {0: 0.3, 1: 0.3, 2: 0.4}
    found.forget({key for key, run in found.runs.items() if run["seed"] == 1})
    assert sorted(run["seed"] for run in Records(path).runs.values()) == [0, 2]
    content = packed.read_bytes()
    Records(path).pack()
    assert packed.read_bytes() == content
