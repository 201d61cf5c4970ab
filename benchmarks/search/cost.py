"""What a suggestion costs: `python -m benchmarks.search.cost [--suggestions 11] [--sizes 20,60,200,300,1000]`.

CPU seconds of one thread for the engine to hear the whole history and to suggest one architecture, on 32,768
architectures of 6 stages and on 24 stages of 4 variants. The engine drives its own search up to 60 trials; from
there the history is filled up with changes of one or two stages to its better half, as long searches look.
Every space and task has a process of its own, so that peak memory is theirs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import RESULTS, markdown_table, write_results
from benchmarks.search.landscape import Landscape
from benchmarks.search.methods import Codes
from benchmarks.search.ours import Ours
from benchmarks.search.protocol import peak_mb, task_of
from benchmarks.search.synthetic import CARDINALITIES, MirrorPairs
from benchmarks.search.worker import ONE_THREAD

SPACES = {"6 stages": CARDINALITIES, "24 stages": (4,) * 24}
TASKS = ("epsilon", "front")
SIZES = (20, 60, 200, 300, 1000)
DRIVEN = 60
"""Trials up to which the engine itself makes the history."""
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suggestions", type=int, default=11, help="timed at each size")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="trials in the history")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    sizes = sorted({int(size) for size in options.sizes.split(",")})
    os.environ.update(ONE_THREAD)
    found: list[Row] = []
    for space in SPACES:
        for task in TASKS:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
                found += alone.submit(measured, space, task, sizes, options.suggestions).result()
            print(f"{space}, {task}: {found[-1]['median s']:.2f} CPU s at {found[-1]['trials']}", file=sys.stderr)
            shown = [{key: value for key, value in row.items() if key != "cpu_s"} for row in found]
            document = {"suggestions": options.suggestions, "rows": found}
            write_results("search-cost", document, {"CPU seconds per suggestion, one thread": shown}, options.results)
    print("\n".join(markdown_table(shown)))


def measured(space: str, task: str, sizes: Sequence[int], suggestions: int) -> list[Row]:
    """CPU seconds of so many suggestions from each size of the history on; peak memory by then."""
    import torch

    torch.set_num_threads(1)
    history = History(MirrorPairs(0, SPACES[space]), task)
    rows = []
    for size in sizes:
        history.grow_to(size)
        seconds = [history.step() for _ in range(suggestions)]
        median, high = np.quantile(seconds, [0.5, 0.95])
        rows.append(
            {
                "space": space,
                "architectures": f"{history.landscape.size:.3g}",
                "task": task,
                "trials": size,
                "median s": float(median),
                "95 % s": float(high),
                "most s": max(seconds),
                "peak MB": round(peak_mb()),
                "cpu_s": [round(value, 4) for value in seconds],
            }
        )
    return rows


class History:
    """A search that grows, and the engine that knows all of it."""

    def __init__(self, landscape: Landscape, kind: str) -> None:
        self.landscape = landscape
        self.engine = Ours(task_of(landscape, kind, 0, max(SIZES)))
        self.seen: dict[Codes, float] = {}
        self._draw = np.random.default_rng(0)
        self._tell(landscape.original)

    def step(self) -> float:
        """One more suggestion, told; CPU seconds of the asking."""
        began = time.process_time()
        codes = self.engine.ask()
        seconds = time.process_time() - began
        assert codes is not None
        self._tell(codes)
        return seconds

    def grow_to(self, size: int) -> None:
        """Let the engine search for a while, then fill up with neighbours of what is good."""
        while len(self.seen) < min(size, DRIVEN):
            self.step()
        while len(self.seen) < size:
            better = sorted(self.seen, key=lambda codes: self.seen[codes])[: len(self.seen) // 2]
            codes = list(better[self._draw.integers(len(better))])
            for stage in self._draw.choice(len(codes), size=self._draw.integers(1, 3), replace=False):
                codes[stage] = int(self._draw.integers(self.landscape.cardinalities[stage]))
            if tuple(codes) not in self.seen:
                self._tell(tuple(codes))

    def _tell(self, codes: Codes) -> None:
        one = self.landscape.measure(codes, 0)
        # The better half: cheap for how far they are beyond the bound.
        self.seen[codes] = one.cost / self.landscape.dearest + max(one.loss / self.landscape.bounds.epsilon - 1, 0.0)
        self.engine.tell(codes, one)


if __name__ == "__main__":
    main()
