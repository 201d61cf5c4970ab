"""Runs in figures: medians, means and bootstrap intervals over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from benchmarks.search.runs import Run

WHOLE = "blocksmith"
CHECKPOINTS = (20, 40, 60)
RESAMPLES = 2000
LEVEL = 0.95
Row = dict[str, Any]


def checkpoints(evaluations: int) -> list[int]:
    """Where figures are taken: at 20, 40, 60 as far as they go, and at the end."""
    return sorted({*(n for n in CHECKPOINTS if n <= evaluations), evaluations})


def at(curve: Sequence[float], evaluations: int) -> float:
    """A curve's value after so many evaluations; its last where everything was evaluated before."""
    return curve[min(evaluations, len(curve)) - 1]


def described(values: Sequence[float]) -> dict[str, float]:
    """Median, mean, and the percentile bootstrap's 95 % interval of the mean."""
    numbers = np.array(values, dtype=float)
    drawn = np.random.default_rng(0).integers(len(numbers), size=(RESAMPLES, len(numbers)))
    low, high = np.quantile(numbers[drawn].mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    found = {"median": np.median(numbers), "mean": numbers.mean(), "low": low, "high": high}
    return {key: round(float(value), 6) for key, value in found.items()}


def solved_share(runs: Sequence[Run], evaluations: int) -> float:
    """Share of the runs that came within 2 % of the optimum."""
    return float(np.mean([run["within"] is not None and run["within"] <= evaluations for run in runs]))


def figures(runs: Sequence[Run]) -> Row:
    """All figures of one method on one landscape and task."""
    evaluations = runs[0]["evaluations"]
    points = checkpoints(evaluations)
    needed = [run["within"] or np.inf for run in runs]
    return {
        "runs": len(runs),
        "evaluations": evaluations,
        "regret": {str(n): described([at(run["regret"], n) for run in runs]) for n in points},
        "hypervolume": {str(n): described([at(run["hypervolume"], n) for run in runs]) for n in points},
        "solved": {str(n): solved_share(runs, n) for n in points},
        "evaluations_to_2_percent": _finite(np.median(needed)),
        "evaluation_cost": {str(n): _mean([at(_costs(run), n) for run in runs]) for n in points},
        "saved": _mean([1 - _costs(run)[-1] / len(_costs(run)) for run in runs]),
        "stopped_wrongly": _mean([run.get("stopped_wrongly", 0) for run in runs]),
        "grid_solved": {str(n): _grid_share(runs, n) for n in points},
        "cpu_s_per_suggestion": _median([value for run in runs for value in run["cpu_s"]]),
        "cpu_s_per_suggestion_mean": _mean([value for run in runs for value in run["cpu_s"]]),
        "cpu_s_at_the_end": _median([value for run in runs for value in run["cpu_s"][-5:]]),
        "peak_mb": max(run["peak_mb"] for run in runs),
        "repeats": _mean([run["repeats"] for run in runs]),
        "stand_ins": _mean([run["stand_ins"] for run in runs]),
    }


def by_method(runs: Iterable[Run]) -> dict[str, dict[str, dict[str, Row]]]:
    """Figures by landscape, task and method."""
    sorted_out: dict[str, dict[str, dict[str, list[Run]]]] = {}
    for run in runs:
        tasks = sorted_out.setdefault(run["landscape"], {})
        tasks.setdefault(run["task"], {}).setdefault(run["method"], []).append(run)
    return {
        landscape: {
            task: {method: figures(own) for method, own in methods.items()} for task, methods in tasks.items()
        }
        for landscape, tasks in sorted_out.items()
    }


def paired(runs: Iterable[Run]) -> list[Row]:
    """The engine minus each of its variants, seed by seed: with and without a part on the same landscape and noise.

    One row per landscape, task and variant, with `described` differences of regret, or of hypervolume for the front.
    """
    curves: dict[tuple[str, str, str], dict[int, list[float]]] = {}
    for run in runs:
        curve = run["hypervolume" if run["task"] == "front" else "regret"]
        curves.setdefault((run["landscape"], run["task"], run["method"]), {})[run["seed"]] = curve
    rows = []
    for (landscape, task, method), variant in curves.items():
        whole = curves.get((landscape, task, WHOLE), {})
        seeds = sorted(set(whole) & set(variant))
        if not method.startswith(f"{WHOLE}-") or not seeds:
            continue
        points = checkpoints(max(len(curve) for curve in variant.values()))
        differences = {str(n): [at(whole[seed], n) - at(variant[seed], n) for seed in seeds] for n in points}
        described_ones = {n: described(values) for n, values in differences.items()}
        rows.append({"landscape": landscape, "task": task, "variant": method, "seeds": len(seeds), **described_ones})
    return rows


def comparison(tasks: dict[str, dict[str, Row]]) -> dict[str, Row]:
    """What `--json` prints of one landscape: regret of the ε task, hypervolume of the front."""
    document: dict[str, Row] = {}
    for name in dict.fromkeys(name for methods in tasks.values() for name in methods):
        epsilon, front, grid = (tasks.get(task, {}).get(name) for task in ("epsilon", "front", "grid"))
        row: Row = {}
        if epsilon:
            row |= {"regret": epsilon["regret"], "solved": list(epsilon["solved"].values())[-1]}
            row["evaluations_to_2_percent"] = epsilon["evaluations_to_2_percent"]
        if front:
            row["hypervolume"] = front["hypervolume"]
        if grid:
            row["grid"] = {key: grid[key] for key in ("regret", "grid_solved", "evaluations_to_2_percent")}
        row["cpu_s_per_suggestion"] = _mean([r["cpu_s_per_suggestion"] for r in (epsilon, front, grid) if r])
        row["peak_mb"] = max(r["peak_mb"] for r in (epsilon, front, grid) if r)
        document[name] = row
    return document


def _costs(run: Run) -> list[float]:
    """Cost in whole evaluations; runs made before any could end early do not say it."""
    costs: list[float] = run.get("evaluation_cost") or [float(n + 1) for n in range(len(run["regret"]))]
    return costs


def _grid_share(runs: Sequence[Run], evaluations: int) -> float:
    return _mean([point is not None and point <= evaluations for run in runs for point in run["grid"]])


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _median(values: Sequence[float]) -> float:
    return float(f"{np.median(values):.3g}") if values else 0.0


def _mean(values: Sequence[float]) -> float:
    return float(f"{np.mean(values):.4g}") if values else 0.0
