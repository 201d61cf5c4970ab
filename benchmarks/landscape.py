"""How block losses, assembled networks and feature distances relate, over random architectures.

    python -m benchmarks.landscape --trials 100 --data DIR

Runs a random search over the default space of the reference teacher through the engine, then reads what it
recorded. Prediction, written before the first run: the sum of block losses ranks assembled networks well but not
perfectly (Spearman about 0.8), because errors made by outer stages are amplified or repaired by what follows;
`noise_mse` and the feature distance agree (about 0.9), as both are read off the same forward pass.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import write_results
from benchmarks.searches import run_search
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.engine.jobs import distillation_job

IMAGES = Path(__file__).parents[1] / "docs" / "images"


def main() -> None:
    """Run, correlate, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--spec", type=Path, default=Path("examples/reference-demo.yaml"))
    parser.add_argument("--data", type=Path, default=Path(".blocksmith"))
    arguments = parser.parse_args()
    changes = {
        "name": "landscape",
        "strategy": {"name": "random"},
        "budget": {"trials": arguments.trials},
        "latency": None,
    }
    installation, search, trials = run_search(arguments.spec, changes, arguments.data)
    rows = [row for trial in trials if (row := _row(installation, search, trial)) is not None]
    _add_weighted_sum(rows)
    document = {"search": search.id, "space": search.space.size, "rows": rows, **_correlations(rows)}
    table = [{"quantity": name, **values} for name, values in _spread(rows).items()]
    correlations = [{"pair": name, "Spearman": value} for name, value in _correlations(rows)["spearman"].items()]
    write_results("landscape", document, {"Rank correlation": correlations, "Spread": table})
    _draw(rows, IMAGES / "landscape.png")


def _row(installation: Any, search: Search, trial: Trial) -> dict[str, float] | None:
    changed = {s: v for s, v in trial.architecture.choices.items() if v != "teacher"}
    if trial.evaluation is None or not changed:
        return None
    with installation.database.reader() as uow:
        entries = [uow.library.entry(distillation_job(search.spec, s, v).key) for s, v in changed.items()]
    metrics = {name: value.mean for name, value in trial.evaluation.metrics.items()}
    losses = {entry.stage: entry.block_loss for entry in entries if entry}
    by_stage = {f"block_loss {c.stage}": losses.get(c.stage, 0.0) for c in search.space.stages}
    return {"block_loss_sum": sum(losses.values()), **by_stage, **metrics}


def _add_weighted_sum(rows: list[dict[str, float]], folds: int = 5) -> None:
    """Add the block losses weighted per stage, by weights fitted to the other folds (non-negative least squares)."""
    from scipy.optimize import nnls

    stages = [name for name in rows[0] if name.startswith("block_loss ")]
    losses = np.array([[row[name] for name in stages] for row in rows])
    errors = np.array([row["noise_mse"] for row in rows])
    for fold in range(folds):
        held_out = np.arange(len(rows)) % folds == fold
        weights, _ = nnls(losses[~held_out], errors[~held_out])
        for position in np.flatnonzero(held_out):
            rows[position]["block_loss_weighted"] = float(losses[position] @ weights)


def _correlations(rows: list[dict[str, float]]) -> dict[str, Any]:
    from scipy.stats import spearmanr

    pairs = (
        ("block_loss_sum", "noise_mse"),
        ("block_loss_weighted", "noise_mse"),
        ("block_loss_sum", "feature_distance"),
        ("noise_mse", "feature_distance"),
        ("params", "noise_mse"),
        ("gmacs", "noise_mse"),
        ("params", "gmacs"),
    )
    found = {f"{a} / {b}": float(spearmanr([r[a] for r in rows], [r[b] for r in rows]).statistic) for a, b in pairs}
    return {"spearman": found}


def _spread(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    names = ("noise_mse", "noise_mse_relative", "feature_distance", "block_loss_sum", "params", "gmacs")
    quantiles = {"minimum": 0, "10 %": 0.1, "median": 0.5, "90 %": 0.9, "maximum": 1}
    return {
        name: {title: float(np.quantile([row[name] for row in rows], q)) for title, q in quantiles.items()}
        for name in names
    }


def _draw(rows: list[dict[str, float]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    found = _correlations(rows)["spearman"]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
    for plane, x, label in (
        (left, "block_loss_sum", "sum of block losses"),
        (middle, "block_loss_weighted", "block losses weighted per stage, cross-validated"),
        (right, "feature_distance", "feature distance of the assembled network"),
    ):
        plane.scatter([row[x] for row in rows], [row["noise_mse"] for row in rows], s=14, color="#0072b2")
        key = f"noise_mse / {x}" if x == "feature_distance" else f"{x} / noise_mse"
        plane.set(xlabel=label, ylabel="noise MSE of the assembled network", xscale="log", yscale="log")
        plane.set_title(f"Spearman {found[key]:.2f}, {len(rows)} random architectures", loc="left", fontsize=10)
        plane.grid(alpha=0.3)
    figure.savefig(path, dpi=130)
    plt.close(figure)


if __name__ == "__main__":
    main()
