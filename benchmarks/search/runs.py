"""Runs that are done and runs that are missing: one JSON line each, so that a stopped bench goes on where it was.

New runs are appended to `NAME.runs.jsonl`; `--pack` moves them into `NAME.runs.jsonl.xz`, which is shipped, so that
tables can be made again and extended by whoever has the repository.
"""

from __future__ import annotations

import importlib.util
import json
import lzma
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from benchmarks.search.catalogue import Spec, make_landscape
from benchmarks.search.landscape import GRID, Landscape
from benchmarks.search.methods import METHODS, Entry
from benchmarks.search.ours import WARM_UP
from benchmarks.search.worker import ONE_THREAD

Key = tuple[str, str, str, str, int, int]
"""Landscape, its fingerprint, task, method, seed, evaluations."""
Run = dict[str, Any]
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Group:
    """Runs that one process makes: a method on a landscape and a task."""

    landscape: str
    spec: Spec
    task: str
    method: str
    evaluations: int
    seeds: tuple[int, ...]

    def key(self, seed: int) -> Key:
        """What the run of a seed is kept under."""
        fingerprint = make_landscape(self.spec, seed).fingerprint
        return self.landscape, fingerprint, self.task, self.method, seed, self.evaluations

    @property
    def title(self) -> str:
        """For lines of progress."""
        return f"{self.landscape}, {self.task}, {self.method}"


class Records:
    """The finished runs, packed ones and new ones; a half-written last line is as if it had never been."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.packed = path.with_name(f"{path.name}.xz")
        self.runs: dict[Key, Run] = {}
        self._lock = threading.Lock()
        packed = lzma.decompress(self.packed.read_bytes()) if self.packed.exists() else b""
        loose = path.read_bytes() if path.exists() else b""
        for line in (*packed.splitlines(), *loose.splitlines()):
            try:
                run = json.loads(line)
            except ValueError:
                continue
            self.runs[key_of(run)] = run

    def add(self, run: Run) -> None:
        """Keep a run, in memory and in the file."""
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            torn = self.path.exists() and not self.path.read_bytes().endswith(b"\n")
            with self.path.open("a", encoding="utf-8") as file:
                file.write(("\n" if torn else "") + json.dumps(run) + "\n")
            self.runs[key_of(run)] = run

    def of(self, groups: Sequence[Group], every_seed: bool = False) -> list[Run]:
        """The runs that are there of what was asked for; `every_seed`: and of other seeds."""
        if not every_seed:
            keys = [group.key(seed) for group in groups for seed in group.seeds]
            return [self.runs[key] for key in keys if key in self.runs]
        known = {(group.landscape, group.task, group.method): group for group in groups}
        asked = [(run, known.get((run["landscape"], run["task"], run["method"]))) for run in self.runs.values()]
        return [run for run, group in asked if group and group.key(run["seed"]) == key_of(run)]

    def forget(self, keys: set[Key]) -> None:
        """Drop runs, in memory and in the files."""
        self.runs = {key: run for key, run in self.runs.items() if key not in keys}
        if self.packed.exists():
            self.pack()
        elif self.path.exists():
            _replace(self.path, self._lines())

    def pack(self) -> Path:
        """Move everything into the compressed file, sorted: the same runs give the same bytes."""
        _replace(self.packed, lzma.compress(self._lines(), preset=9 | lzma.PRESET_EXTREME))
        self.path.unlink(missing_ok=True)
        return self.packed

    def _lines(self) -> bytes:
        return "".join(json.dumps(self.runs[key]) + "\n" for key in sorted(self.runs)).encode()


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f"{path.name}.fresh")
    fresh.write_bytes(content)
    os.replace(fresh, path)


def key_of(run: Run) -> Key:
    """What a run is a run of."""
    return run["landscape"], run["fingerprint"], run["task"], run["method"], run["seed"], run["evaluations"]


def groups_of(
    specs: Mapping[str, Spec], tasks: Sequence[str], methods: Sequence[str], seeds: Iterable[int], evaluations: int
) -> tuple[list[Group], list[str]]:
    """What a command asks for, and a line for each method that cannot take part somewhere."""
    groups, left_out, every = [], [], tuple(seeds)
    for method in methods:
        absent = [name for name in METHODS[method].needs if importlib.util.find_spec(name) is None]
        if absent:
            left_out.append(f"{method}: skipped, {', '.join(absent)} is not installed (pip install '.[benchmarks]')")
            continue
        for landscape, spec in specs.items():
            reason = out_of_place(METHODS[method], make_landscape(spec, 0))
            if reason:
                left_out.append(f"{method}: skipped on {landscape}, {reason}")
                continue
            for task in tasks:
                number = _evaluations(METHODS[method], make_landscape(spec, 0), task, evaluations)
                if number:
                    groups.append(Group(landscape, spec, task, method, number, every))
    groups.sort(key=lambda group: list(specs).index(group.landscape))
    return groups, left_out


def out_of_place(entry: Entry, landscape: Landscape) -> str | None:
    """Why a method cannot take part on a landscape, or would do the same there as another."""
    if entry.needs_block_losses and landscape.block_losses is None:
        return "which has no block losses"
    if entry.stops_early and not landscape.has_rungs:
        return "where evaluations cannot end early"
    if entry.random_warm_up and 1 + len(landscape.bought) >= WARM_UP:
        return "where everybody's warm-up is what was bought"
    return None


def _evaluations(entry: Entry, landscape: Landscape, task: str, asked: int) -> int:
    """Number of evaluations of a method, 0 where it does not take part."""
    if entry.stops_early and task == "front":
        return 0
    if entry.each_epsilon is None:
        return asked
    warm = max(WARM_UP, 1 + len(landscape.bought))
    return warm + GRID * entry.each_epsilon if task == "grid" else 0


def make_missing(groups: Sequence[Group], records: Records, jobs: int, progress: TextIO) -> list[str]:
    """Make the runs that are not there yet; returns a line for each process that failed."""
    missing = []
    for group in groups:
        seeds = tuple(seed for seed in group.seeds if group.key(seed) not in records.runs)
        if seeds:
            missing.append(Group(group.landscape, group.spec, group.task, group.method, group.evaluations, seeds))
    total = sum(len(group.seeds) for group in missing)
    print(f"{total} runs to make, {sum(len(g.seeds) for g in groups) - total} are there", file=progress, flush=True)
    done = 0
    began = time.monotonic()

    def work(group: Group) -> str | None:
        nonlocal done
        try:
            for run in _results(group):
                records.add(run)
                done += 1
                spent = time.monotonic() - began
                at = f"[{done}/{total}, {spent:.0f} s] {group.title}, seed {run['seed']}"
                print(
                    f"{at}: regret {run['regret'][-1]:.3f}, hypervolume {run['hypervolume'][-1]:.3f}",
                    file=progress,
                    flush=True,
                )
        except WorkerFailed as failure:
            return f"{group.title}: {failure}"
        return None

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        return [line for line in pool.map(work, missing) if line]


class WorkerFailed(Exception):
    """A process ended before all of its runs were made; those it made are kept."""


def _results(group: Group) -> Iterator[Run]:
    request = {
        "spec": group.spec,
        "task": group.task,
        "method": group.method,
        "evaluations": group.evaluations,
        "seeds": group.seeds,
        "needs": METHODS[group.method].needs,
    }
    worker = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.search.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(json.dumps(request))
        worker.stdin.close()
        for line in worker.stdout:
            found = json.loads(line)
            key = group.key(found["seed"])
            head = dict(zip(("landscape", "fingerprint", "task", "method", "seed", "evaluations"), key, strict=True))
            yield {**head, **found}
        if worker.wait() != 0:
            raise WorkerFailed(f"its process ended with code {worker.returncode}")
    finally:
        worker.kill()
        worker.wait()
