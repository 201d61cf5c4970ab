"""How long a search takes to say what it would recommend: `python -m benchmarks.what_if`.

Searches of 300 trials on synthetic spaces of 55,296 architectures. `cold`: nothing is fitted yet; `other bounds`: the
models are there, the bounds are new. In the process that thinks, on one thread, imports aside.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.report import markdown_table, write_results
from nas.domain.lifecycle import TrialStatus
from nas.domain.objective import OutcomeConstraint, Problem
from nas.strategy.base import StrategyContext, make_strategy
from nas.strategy.bayesian import BayesianSearch
from tests.fakes.landscapes import Landscape, finished, landscape

TRIALS = 300
FACTORS = (0.8, 1.3, 2.0)
"""By which the bound in force is multiplied to ask for others."""


def main() -> None:
    """Ask, time, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--name", default="what-if")
    options = parser.parse_args()
    BayesianSearch.load()
    timed(landscape(options.seeds, noise=0.03), "front")  # imports and caches
    samples = [
        {"task": task, **one}
        for seed in range(options.seeds)
        for task in ("epsilon", "front")
        for one in timed(landscape(seed, noise=0.03), task)
    ]
    rows = [
        summary(task, what, [one for one in samples if (one["task"], one["what"]) == (task, what)])
        for task in ("epsilon", "front")
        for what in ("cold", "other bounds")
    ]
    write_results(options.name, {"summary": rows, "samples": samples}, {"Seconds": rows})
    print("\n".join(markdown_table(rows)))


def timed(land: Landscape, task: str) -> list[dict[str, Any]]:
    """Seconds of the first answer of one search, and of those for other bounds."""
    from nas.strategy.insight import Insight

    bound = float(np.quantile(land.losses, 0.05))
    constraint = OutcomeConstraint(metric="noise_mse", at_most=bound)
    problem = (
        Problem(objectives=("gmacs",), constraints=(constraint,))
        if task == "epsilon"
        else Problem(objectives=("gmacs", "noise_mse"))
    )
    strategy = make_strategy("auto", StrategyContext(land.priced, problem, 0, 8))
    rows = np.random.default_rng(0).choice(len(land.losses), TRIALS, replace=False)
    tried = [land.space.decode(tuple(np.unravel_index(row, land.space.cardinalities))) for row in rows.tolist()]
    told = [finished(number, one, land.evaluate(one), TrialStatus.COMPLETED) for number, one in enumerate(tried)]
    strategy.tell(told, [])
    insight = Insight.of(strategy)
    samples = [{"what": "cold", **seconds(insight.recommend)}]
    for factor in FACTORS:
        asked = {"noise_mse": factor * bound}
        samples.append({"what": "other bounds", **seconds(lambda asked=asked: insight.what_if(asked))})  # type: ignore[misc]  # a default is an argument
    return samples


def seconds(call: Callable[[], object]) -> dict[str, float]:
    """Of a call: on the clock, and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return {"wall s": time.perf_counter() - wall, "CPU s": time.process_time() - cpu}


def summary(task: str, what: str, samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Median and 95th percentile."""
    row: dict[str, Any] = {"task": task, "asked": what, "answers": len(samples)}
    for unit in ("CPU s", "wall s"):
        values = [one[unit] for one in samples]
        row |= {f"median {unit}": float(np.median(values)), f"p95 {unit}": float(np.quantile(values, 0.95))}
    return row


if __name__ == "__main__":
    main()
