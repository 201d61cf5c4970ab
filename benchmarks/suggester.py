"""Memory and speed of the suggesting process: `python -m benchmarks.suggester [--searches 10 --trials 100]`.

Searches on synthetic spaces of 55,296 architectures are driven one after the other, each suggestion a question
of its own to one process, as a coordinator would put it; nothing is evaluated but a formula. `--held` tells
instead what one strategy of that size keeps between two questions.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import time
import tracemalloc
from typing import Any

import numpy as np
import psutil

from api.composition import _make_fall_back, _make_strategy, load_strategy
from benchmarks.report import markdown_table, write_results
from nas.domain.lifecycle import TrialStatus
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import Budget, Search, SearchSpec, StrategySpec
from nas.domain.trial import Trial
from nas.engine.archive import Archive
from tests.fakes.landscapes import Landscape, finished, landscape
from workers.suggester import MOST_MEMORY_BYTES, Suggester
from workers.suggester_adviser import RemoteAdviser

LONGEST_S = 100.0
WARM_SHARE = 0.2
"""Share of the suggestions before which memory may still grow: imports, caches, the first large space."""
ROWS = 10


def a_search(land: Landscape, seed: int, trials: int) -> Search:
    """A search for the cheapest architecture within the best twentieth."""
    spec = SearchSpec(
        name=f"memory {seed}",
        seed=seed,
        constraints=(OutcomeConstraint(metric="noise_mse", at_most=float(np.quantile(land.losses, 0.05))),),
        strategy=StrategySpec(name="epsilon_constraint"),
        budget=Budget(trials=trials),
    )
    return Search(id=f"memory-{seed}", spec=spec, space=land.space, problems=(spec.problem,))


class Driven:
    """One search, driven without an engine."""

    def __init__(self, suggester: Suggester, seed: int, trials: int) -> None:
        self.land: Landscape = landscape(seed, noise=0.03)
        self.search = a_search(self.land, seed, trials)
        self.history = Archive()
        self.adviser = RemoteAdviser(suggester, self.search, self.land.costs, _make_fall_back)

    def step(self) -> float:
        """One suggestion, judged; returns the seconds it took.

        Raises:
            SystemExit: If a fall-back had to stand in: then there is nothing to measure.
        """
        began = time.monotonic()
        self.adviser.ask(self.history, [], 1)
        while not self.adviser.has_answered(is_urgent=True):
            time.sleep(0.002)
        advice = self.adviser.answer()
        if advice.lapse is not None:
            raise SystemExit(f"a fall-back: {advice.lapse.message}")
        seconds = time.monotonic() - began
        for one in advice.suggestions:
            evaluation = self.land.evaluate(one.architecture)
            self.history.add(finished(len(self.history), one.architecture, evaluation, TrialStatus.COMPLETED))
        return seconds


def main() -> None:
    """Drive, watch and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=10)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--held", action="store_true")
    options = parser.parse_args()
    if options.held:
        print(f"{held(options.trials):.1f} MB")
        return
    suggester = Suggester(_make_strategy, load_strategy, deadline_s=LONGEST_S)
    try:
        samples = drive(suggester, options.searches, options.trials)
    finally:
        suggester.close()
    rows = in_rows(samples)
    verdict = {
        "suggestions": len(samples),
        "processes": len({sample["pid"] for sample in samples}),
        "peak MB": max(sample["MB"] for sample in samples),
        "bound MB": MOST_MEMORY_BYTES / 1e6,
        "growth MB per 1000 suggestions": growth(samples),
    }
    write_results("suggester", {"summary": verdict, "rows": rows}, {"Summary": [verdict], "On the way": rows})
    print("\n".join([*markdown_table([verdict]), "", *markdown_table(rows)]))


def drive(suggester: Suggester, searches: int, trials: int) -> list[dict[str, Any]]:
    """Every suggestion of every search: resident memory afterwards, CPU seconds, process."""
    samples = []
    for seed in range(searches):
        one = Driven(suggester, seed, trials)
        for _ in range(trials):
            seconds = one.step()
            process = psutil.Process(suggester.process.pid)
            times = process.cpu_times()
            samples.append(
                {
                    "MB": process.memory_info().rss / 1e6,
                    "CPU s": times.user + times.system,
                    "wall s": seconds,
                    "pid": process.pid,
                }
            )
        one.adviser.close()
    return samples


def held(trials: int) -> float:
    """Megabytes that Python and NumPy keep for one strategy and its history of `trials` trials."""
    sizes = []
    for seed in range(2):  # the first one pays for imports and caches
        land = landscape(seed, noise=0.03)
        space = [land.space.decode(codes) for codes in itertools.islice(land.space.indices(), trials)]
        told = [finished(number, one, land.evaluate(one), TrialStatus.COMPLETED) for number, one in enumerate(space)]
        documents = [trial.model_dump_json() for trial in told]
        search = a_search(land, seed, trials + 1)
        gc.collect()
        tracemalloc.start()
        strategy = _make_strategy(search, land.costs)
        strategy.tell([Trial.model_validate_json(document) for document in documents], [])
        strategy.suggest(1)
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0] / 1e6)
        tracemalloc.stop()
    return sizes[-1]


def growth(samples: list[dict[str, Any]]) -> float:
    """Slope of resident memory once everything has been done at least once."""
    late = samples[int(WARM_SHARE * len(samples)) :]
    return 1000 * float(np.polyfit(np.arange(len(late)), [sample["MB"] for sample in late], 1)[0])


def in_rows(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The way in `ROWS` parts."""
    rows = []
    for part in np.array_split(np.arange(len(samples)), ROWS):
        first, last = samples[part[0]], samples[part[-1]]
        rows.append(
            {
                "suggestions": int(part[-1]) + 1,
                "MB": last["MB"],
                "peak MB": max(samples[place]["MB"] for place in part),
                "CPU s per suggestion": (last["CPU s"] - first["CPU s"]) / max(1, len(part) - 1),
                "wall s per suggestion": float(np.median([samples[place]["wall s"] for place in part])),
            }
        )
    return rows


if __name__ == "__main__":
    main()
