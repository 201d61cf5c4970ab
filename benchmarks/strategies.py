"""Best feasible cost and hypervolume of each strategy after a number of trials, over several seeds.

    python -m benchmarks.strategies --seeds 5 --trials 40 --data DIR

All searches run through the engine on the reference teacher and share one block library and all evaluations.
Prediction, written before the first run: at 40 trials the ε-constrained strategy finds a network at least 10 %
smaller than random search does, in every seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import write_results
from benchmarks.searches import run_search
from nas.domain.pareto import hypervolume_2d
from nas.domain.trial import Trial

CEILING = 0.5
"""Reference point of the hypervolume: this relative noise MSE, and the teacher's parameters."""


def main() -> None:
    """Run every strategy with every seed and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--strategies", default="random,sobol,epsilon_constraint,pareto")
    parser.add_argument("--spec", type=Path, default=Path("examples/reference-demo.yaml"))
    parser.add_argument("--data", type=Path, default=Path(".blocksmith"))
    arguments = parser.parse_args()
    runs: list[dict[str, Any]] = []
    for seed in range(arguments.seeds):
        for name in arguments.strategies.split(","):
            runs.append(_run(arguments, name, seed))
    summary = [_summary(name, [run for run in runs if run["strategy"] == name]) for name in _names(runs)]
    write_results("strategies", {"trials": arguments.trials, "runs": runs}, {"Summary": summary, "Runs": runs})


def _run(arguments: argparse.Namespace, name: str, seed: int) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "name": f"{name}-{seed}",
        "strategy": {"name": name},
        "budget": {"trials": arguments.trials},
        "seed": seed,
        "latency": None,
    }
    if name == "pareto":
        changes["objectives"] = ["params", "noise_mse_relative"]
        changes["constraints"] = [{"metric": "noise_mse_relative", "at_most": CEILING}]
    _, search, trials = run_search(arguments.spec, changes, arguments.data)
    epsilon = _epsilon(arguments.spec)
    return {
        "strategy": name,
        "seed": seed,
        "best_feasible_params": _best_params(trials, epsilon),
        "hypervolume": _hypervolume(trials),
        "seconds": round(search.ran_s, 1),
    }


def _points(trials: list[Trial]) -> list[tuple[float, float]]:
    metrics = [trial.evaluation.metrics for trial in trials if trial.evaluation]
    return [(m["params"].mean, m["noise_mse_relative"].mean) for m in metrics if "noise_mse_relative" in m]


def _best_params(trials: list[Trial], epsilon: float) -> float:
    return min(params for params, error in _points(trials) if error <= epsilon)


def _hypervolume(trials: list[Trial]) -> float:
    """Share of the box (teacher's params, `CEILING`) that the trials dominate."""
    points = _points(trials)
    most = max(params for params, _ in points)
    return hypervolume_2d(points, (most, CEILING)) / (most * CEILING)


def _epsilon(spec: Path) -> float:
    from api.documents import read_document

    constraints = read_document(spec.read_text(encoding="utf-8"))["constraints"]
    return float(next(bound["at_most"] for bound in constraints if bound["metric"] == "noise_mse_relative"))


def _names(runs: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(run["strategy"] for run in runs))


def _summary(name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    best = np.array([run["best_feasible_params"] for run in runs])
    volume = np.array([run["hypervolume"] for run in runs])
    return {
        "strategy": name,
        "seeds": len(runs),
        "best feasible params, median": float(np.median(best)),
        "least": float(best.min()),
        "most": float(best.max()),
        "hypervolume, median": float(np.median(volume)),
        "lowest": float(volume.min()),
        "highest": float(volume.max()),
    }


if __name__ == "__main__":
    main()
