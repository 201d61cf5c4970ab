"""Strategies on landscapes whose optimum is known: what a trial buys, and what a suggestion costs.

    python -m benchmarks.search_smoke --landscapes 5 --trials 60 [--macro nas-bench-macro_cifar10.json]

The synthetic landscapes have 55,296 architectures shaped like Stable Diffusion's U-Net. `--macro` adds
NAS-Bench-Macro (Su et al., CVPR 2021): 6,561 networks that were really trained, three times each; the 16
single replacements that give its block losses are charged to the budget.

Regret: cost of the cheapest truly feasible architecture tried over the optimum's, minus one; while nothing
feasible was tried, the most expensive architecture counts. Hypervolume: true values, relative to the true front.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import markdown_table, write_results
from nas.domain.cost import ExactCosts
from nas.domain.job import Evaluation
from nas.domain.library import BlockCost, BlockLibrary, LibraryEntry
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import Measurement
from nas.domain.objective import OutcomeConstraint, Problem
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.strategy.base import StrategyContext, make_strategy
from tests.fakes.landscapes import Landscape, finished, landscape

CHECKPOINTS = (20, 40, 60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--landscapes", type=int, default=5)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--together", type=int, default=1, help="suggestions asked for at once")
    parser.add_argument("--noise", type=float, default=0.0, help="relative standard deviation of a measurement")
    parser.add_argument("--feasible", type=float, default=0.005, help="share of the space that the bound admits")
    parser.add_argument("--strategies", default="random,sobol,epsilon_constraint,pareto")
    parser.add_argument("--macro", type=Path, help="NAS-Bench-Macro's JSON file")
    arguments = parser.parse_args()
    if arguments.macro:
        lands = {"NAS-Bench-Macro": macro(arguments.macro)}
        seeds = range(arguments.landscapes)
    else:
        lands = {f"synthetic {n}": landscape(n, noise=arguments.noise) for n in range(arguments.landscapes)}
        seeds = range(1)
    runs = [
        _run(name, title, land, seed, arguments)
        for title, land in lands.items()
        for seed in seeds
        for name in arguments.strategies.split(",")
    ]
    summary = [_summary(name, [run for run in runs if run["strategy"] == name]) for name in _names(runs)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    options = {key: str(value) for key, value in vars(arguments).items()}
    name = "search_smoke_macro" if arguments.macro else "search_smoke"
    write_results(name, {"options": options, "peak_memory_mb": memory, "runs": runs}, {"Summary": summary})
    print("\n".join(markdown_table(summary)))
    print(f"peak memory {memory:.0f} MB")


def _run(name: str, title: str, land: Landscape, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    bound = float(np.quantile(land.losses, arguments.feasible))
    constraints = (OutcomeConstraint(metric="noise_mse", at_most=bound),)
    problem = Problem(objectives=("gmacs",), constraints=constraints)
    if name == "pareto":
        problem = Problem(objectives=("gmacs", "noise_mse"))
    strategy = make_strategy(name, StrategyContext(land.space, problem, land.costs, seed, 8))
    trials = _given(land) if arguments.macro else []
    seconds: list[float] = []
    while len(trials) < arguments.trials:
        began = time.process_time()
        strategy.update(trials, ())
        suggestions = strategy.suggest(min(arguments.together, arguments.trials - len(trials)))
        seconds.append((time.process_time() - began) / max(1, len(suggestions)))
        if not suggestions:
            break
        trials.extend(
            finished(len(trials) + n, one.architecture, land.evaluate(one.architecture), TrialStatus.COMPLETED)
            for n, one in enumerate(suggestions)
        )
    optimum = land.cheapest(bound)
    return {
        "strategy": name,
        "landscape": title,
        "seed": seed,
        "bound": bound,
        **_at(lambda some: land.best_feasible(some, bound) / optimum - 1, trials, "regret"),
        **_at(land.relative_hypervolume, trials, "hypervolume"),
        "cpu_s_per_suggestion": float(np.median(seconds)),
        "cpu_s_at_the_end": float(np.median(seconds[-5:])),
    }


def _at(measure: Callable[[list[Trial]], float], trials: list[Trial], what: str) -> dict[str, float]:
    return {f"{what}@{n}": measure(trials[:n]) for n in CHECKPOINTS if n <= len(trials)}


def _names(runs: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(run["strategy"] for run in runs))


def _summary(name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    numbers = {key: [run[key] for run in runs] for key in runs[0] if isinstance(runs[0][key], float)}
    row: dict[str, Any] = {"strategy": name, "runs": len(runs)}
    row |= {f"mean {key}": float(np.mean(values)) for key, values in numbers.items() if "@" in key}
    row |= {key: float(np.median(values)) for key, values in numbers.items() if key.startswith("cpu")}
    return row


def macro(path: Path) -> Landscape:
    """NAS-Bench-Macro as a landscape: 8 layers, three operations, mean error in percent, MACs as cost."""
    table = json.loads(path.read_text(encoding="utf-8"))
    operations = ("teacher", "MB3_K3", "Identity")  # the most expensive, MB6_K5, is what a teacher would hold
    letters = ("2", "1", "0")
    stages = tuple(f"L{layer}" for layer in range(8))
    space = SearchSpace(stages=tuple(StageChoices(stage=stage, variants=operations) for stage in stages))
    keys = ["".join(letters[v] for v in indices) for indices in space.indices()]
    losses = np.array([100 - table[key]["mean_acc"] for key in keys])
    base = table["2" * 8]
    entries = {}
    for layer, stage in enumerate(stages):
        for letter, operation in zip(letters, operations, strict=True):
            single = table["2" * layer + letter + "2" * (7 - layer)]
            entries[f"{stage}/{operation}"] = LibraryEntry(
                key=f"{stage}/{operation}",
                stage=stage,
                variant=operation,
                cost=BlockCost(
                    params=base["params"] // 8 + (single["params"] - base["params"]) // 2,
                    macs=base["flops"] + (single["flops"] - base["flops"]),
                    attention_macs=0,
                ),
                block_loss=max(0.0, base["mean_acc"] - single["mean_acc"]),
            )
    costs = ExactCosts(
        stages=stages,
        library=BlockLibrary(entries=FrozenDict(entries), floor=BlockCost(params=0, macs=0, attention_macs=0)),
    )
    return _Macro(space, costs, losses, np.array([_priced(costs, space, key, letters) for key in keys]))


class _Macro(Landscape):
    """Measurements are one of the three real trainings, drawn once per architecture."""

    def evaluate(self, architecture: Any) -> Evaluation:
        loss = Measurement(mean=float(self.losses[self.position(architecture)]))
        return Evaluation(metrics=FrozenDict({**self.costs.of(architecture), "noise_mse": loss}))


def _priced(costs: ExactCosts, space: SearchSpace, key: str, letters: tuple[str, ...]) -> float:
    return costs.of(space.decode(tuple(letters.index(letter) for letter in key)))["gmacs"].mean


def _given(land: Landscape) -> list[Trial]:
    """The teacher and every single replacement: what the block losses were computed from."""
    stages = len(land.space.stages)
    rows = [(0,) * stages]
    rows += [tuple(v if s == stage else 0 for s in range(stages)) for stage in range(stages) for v in (1, 2)]
    architectures = [land.space.decode(row) for row in rows]
    return [finished(n, one, land.evaluate(one), TrialStatus.COMPLETED) for n, one in enumerate(architectures)]


if __name__ == "__main__":
    main()
