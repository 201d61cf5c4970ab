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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.report import markdown_table, write_results
from nas.domain.architecture import Architecture
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
LAYERS = 8
LETTERS = {"teacher": "2", "MB3_K3": "1", "Identity": "0"}
"""NAS-Bench-Macro's operations; the most expensive one, MB6_K5, stands for the teacher's block."""


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
    options = {key: value.name if isinstance(value, Path) else value for key, value in vars(arguments).items()}
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
    strategy = make_strategy(name, StrategyContext(land.priced, problem, seed, 8))
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
    """NAS-Bench-Macro as a landscape: 8 layers, three operations, error in percent, MACs as cost.

    Its MACs and parameters are exactly additive over layers. A measurement is one of the three trainings,
    the truth is their mean.
    """
    table = json.loads(path.read_text(encoding="utf-8"))
    stages = tuple(f"L{layer}" for layer in range(LAYERS))
    space = SearchSpace(stages=tuple(StageChoices(stage=stage, variants=tuple(LETTERS)) for stage in stages))
    entries = {
        f"{stage}/{operation}": _macro_entry(table, stage, layer, operation)
        for layer, stage in enumerate(stages)
        for operation in LETTERS
    }
    empty = table["0" * LAYERS]
    floor = BlockCost(params=empty["params"], macs=empty["flops"], attention_macs=0)
    costs = ExactCosts(stages=stages, library=BlockLibrary(entries=FrozenDict(entries), floor=floor))
    rows = [
        table["".join(LETTERS[choices.variants[v]] for choices, v in zip(space.stages, row, strict=True))]
        for row in space.indices()
    ]
    draw = np.random.default_rng(0)
    return TrainedLandscape(
        space,
        costs,
        losses=np.array([100 - row["mean_acc"] for row in rows]),
        gmacs=np.array([row["flops"] / 1e9 for row in rows]),
        measured=np.array([100 - row["test_acc"][draw.integers(3)] for row in rows]),
    )


def _macro_entry(table: dict[str, Any], stage: str, layer: int, operation: str) -> LibraryEntry:
    with_it, without = (
        table["2" * layer + letter + "2" * (LAYERS - 1 - layer)] for letter in (LETTERS[operation], "0")
    )
    cost = BlockCost(
        params=with_it["params"] - without["params"], macs=with_it["flops"] - without["flops"], attention_macs=0
    )
    loss = max(0.0, table["2" * LAYERS]["mean_acc"] - with_it["mean_acc"])
    return LibraryEntry(key=f"{stage}/{operation}", stage=stage, variant=operation, cost=cost, block_loss=loss)


@dataclass(frozen=True)
class TrainedLandscape(Landscape):
    """Measurements that were taken once and for all."""

    measured: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def evaluate(self, architecture: Architecture) -> Evaluation:
        """One of the three trainings, always the same one."""
        loss = Measurement(mean=float(self.measured[self.position(architecture)]))
        return Evaluation(metrics=FrozenDict({**self.costs.of(architecture), "noise_mse": loss}))


def _given(land: Landscape) -> list[Trial]:
    """The teacher and every single replacement: what the block losses were computed from."""
    stages = len(land.space.stages)
    rows = [(0,) * stages]
    rows += [tuple(v if s == stage else 0 for s in range(stages)) for stage in range(stages) for v in (1, 2)]
    architectures = [land.space.decode(row) for row in rows]
    return [finished(n, one, land.evaluate(one), TrialStatus.COMPLETED) for n, one in enumerate(architectures)]


if __name__ == "__main__":
    main()
