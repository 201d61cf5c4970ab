"""Memory and speed of the suggesting process: `python -m benchmarks.suggester [--searches 10 --trials 100]`.

Searches on synthetic spaces of 55,296 architectures are driven one after the other, each suggestion a question
of its own to one process, as a coordinator would put it; nothing is evaluated but a formula. In the end all
searches are asked once more without being closed, which tells what one strategy holds.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import psutil

from api.composition import _make_fall_back, _make_strategy, load_strategy
from benchmarks.report import markdown_table, write_results
from nas.domain.lifecycle import TrialStatus
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import Budget, Search, SearchSpec, StrategySpec
from nas.domain.trial import Trial
from tests.fakes.landscapes import Landscape, finished, landscape
from workers.suggester import MOST_MEMORY_BYTES, Suggester
from workers.suggester_adviser import RemoteAdviser

LONGEST_S = 100.0
WARM_SHARE = 0.2
"""Share of the suggestions before which memory may still grow: imports, caches, the first large space."""
ROWS = 10


class Driven:
    """One search, driven without an engine."""

    def __init__(self, suggester: Suggester, seed: int, trials: int) -> None:
        self.land: Landscape = landscape(seed, noise=0.03)
        bound = OutcomeConstraint(metric="noise_mse", at_most=float(np.quantile(self.land.losses, 0.05)))
        strategy = StrategySpec(name="epsilon_constraint")
        spec = SearchSpec(
            name=f"memory {seed}", seed=seed, constraints=(bound,), strategy=strategy, budget=Budget(trials=trials)
        )
        self.search = Search(id=f"memory-{seed}", spec=spec, space=self.land.space, problems=(spec.problem,))
        self.history: list[Trial] = []
        self._suggester = suggester
        self.adviser = self._open()

    def _open(self) -> RemoteAdviser:
        return RemoteAdviser(self._suggester, self.search, self.land.costs, _make_fall_back)

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
            self.history.append(finished(len(self.history), one.architecture, evaluation, TrialStatus.COMPLETED))
        return seconds

    def reopen(self) -> None:
        """Ask once more, and stay known to the process."""
        self.adviser = self._open()
        self.step()


def main() -> None:
    """Drive, watch and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=10)
    parser.add_argument("--trials", type=int, default=100)
    options = parser.parse_args()
    suggester = Suggester(_make_strategy, load_strategy, deadline_s=LONGEST_S)
    try:
        samples, searches = drive(suggester, options.searches, options.trials)
        held = kept(suggester, searches)
    finally:
        suggester.close()
    rows = in_rows(samples)
    verdict = {
        "suggestions": len(samples),
        "processes": len({sample["pid"] for sample in samples}),
        "peak MB": max(sample["MB"] for sample in samples),
        "bound MB": MOST_MEMORY_BYTES / 1e6,
        "growth MB per 1000 suggestions": growth(samples),
        "MB held by one strategy": held,
    }
    write_results("suggester", {"summary": verdict, "rows": rows}, {"Summary": [verdict], "On the way": rows})
    print("\n".join([*markdown_table([verdict]), "", *markdown_table(rows)]))


def drive(suggester: Suggester, searches: int, trials: int) -> tuple[list[dict[str, Any]], list[Driven]]:
    """Every suggestion of every search: resident memory afterwards, CPU seconds, process."""
    samples, driven = [], []
    for seed in range(searches):
        one = Driven(suggester, seed, trials)
        driven.append(one)
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
    return samples, driven


def kept(suggester: Suggester, searches: list[Driven]) -> float:
    """Megabytes that the process holds for one search more, at its full length."""
    megabytes = []
    for one in searches:
        one.reopen()
        megabytes.append(psutil.Process(suggester.process.pid).memory_info().rss / 1e6)
    return float(np.polyfit(np.arange(len(megabytes)), megabytes, 1)[0]) if len(megabytes) > 1 else float("nan")


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
