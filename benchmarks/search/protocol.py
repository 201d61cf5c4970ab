"""One run: a method on a landscape, with everybody's warm-up and everybody's number of evaluations.

The warm-up is the original network and then, up to eight evaluations, our engine's own warm-start points; where block
losses were bought by single removals, these come second and are charged. Only a method that leaves the engine's
warm start out has a warm-up of its own, with as many evaluations: random architectures in place of those points.

Nobody evaluates a network twice, by whatever name. A repeat costs nothing: the method hears the known value and is
asked again, up to its patience; then a random new architecture stands in. The same goes for what an incomplete table
lacks. All three are counted.
"""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search.landscape import Landscape, Measured
from benchmarks.search.methods import Codes, Method, Task, load_methods
from benchmarks.search.ours import WARM_UP, Ours
from benchmarks.search.prices import LandscapePrices, problem_of
from benchmarks.search.scores import scores

TASKS = ("epsilon", "front", "grid")


@dataclass
class Ledger:
    """What a run has evaluated so far, in order; beyond `limit`, if there is one, evaluations end early."""

    landscape: Landscape
    seed: int
    limit: float | None = None
    seen: dict[Codes, Measured] = field(default_factory=dict)
    repeats: int = 0
    absent: int = 0
    stand_ins: int = 0

    @property
    def is_exhausted(self) -> bool:
        """Whether everything there is was evaluated."""
        return len(self.seen) >= self.landscape.size

    def evaluate(self, codes: Codes) -> Measured:
        """Measure an architecture, once."""
        if self.limit is None:
            self.seen[codes] = self.landscape.measure(codes, self.seed)
        else:
            self.seen[codes] = self.landscape.measure_early(codes, self.seed, self.limit)
        return self.seen[codes]

    def canonical(self, codes: Codes) -> Codes:
        """The name that the network of an architecture goes by."""
        return tuple(self.landscape.canonical(np.array([codes], dtype=np.int16))[0].tolist())

    def holds(self, codes: Codes) -> bool:
        """Whether an architecture exists."""
        return bool(self.landscape.holds(np.array([codes], dtype=np.int16))[0])

    def stand_in(self) -> Codes:
        """A random architecture for a method that has no idea."""
        self.stand_ins += 1
        return self.random()

    def random(self) -> Codes:
        """A random architecture that was not evaluated yet."""
        generator = np.random.default_rng((self.seed, len(self.seen)))
        while True:
            for row in self.landscape.sample(256, generator).tolist():
                if tuple(row) not in self.seen:
                    return tuple(row)


def run(landscape: Landscape, kind: str, name: str, seed: int, evaluations: int) -> dict[str, Any]:
    """One run as a line of the results: curves over evaluations, seconds, memory.

    `evaluation_cost` is what the evaluations cost by then, in whole ones; `stopped` ended early, `stopped_wrongly`
    although truly within the limit.
    """
    task = task_of(landscape, kind, seed, evaluations)
    entry = load_methods()[name]
    ledger = Ledger(landscape, seed, limit_of(task) if entry.stops_early else None)
    warm_up(task, ledger, entry.random_warm_up)
    began = time.process_time()
    method = entry.make(task)
    for codes, measured in ledger.seen.items():
        method.tell(codes, measured)
    prepared = time.process_time() - began
    seconds: list[float] = []
    warm = len(ledger.seen)
    while len(ledger.seen) < evaluations and not ledger.is_exhausted:
        began = time.process_time()
        codes = _next(method, ledger)
        seconds.append(time.process_time() - began)
        method.tell(codes, ledger.evaluate(ledger.canonical(codes)))
    codes_in_order = np.array(list(ledger.seen), dtype=np.int16)
    shares = np.array([measured.share for measured in ledger.seen.values()])
    return {
        "warm_up": warm,
        "repeats": ledger.repeats,
        "absent": ledger.absent,
        "stand_ins": ledger.stand_ins,
        "cpu_s_to_prepare": round(prepared, 4),
        "cpu_s": [float(f"{value:.3g}") for value in seconds],
        "peak_mb": round(peak_mb()),
        "evaluation_cost": [round(float(cost), 4) for cost in np.cumsum(shares)],
        "stopped": int((shares < 1).sum()),
        "stopped_wrongly": int(((shares < 1) & (landscape.loss(codes_in_order) <= (ledger.limit or 0.0))).sum()),
        **scores(landscape, kind, codes_in_order, shares == 1),
    }


def limit_of(task: Task) -> float | None:
    """The loss beyond which nothing is asked about an architecture any more."""
    return {"epsilon": task.epsilon, "grid": max(task.grid)}.get(task.kind)


def peak_mb() -> float:
    """Most memory this process ever held. Linux's `ru_maxrss` would start from the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def task_of(landscape: Landscape, kind: str, seed: int, evaluations: int) -> Task:
    """What a method is told of a task."""
    return Task(
        kind=kind,
        cardinalities=landscape.cardinalities,
        epsilon=landscape.bounds.epsilon,
        latency_at_most=landscape.bounds.latency_at_most,
        grid=tuple(epsilon for epsilon, _ in landscape.epsilon_grid),
        evaluations=evaluations,
        seed=seed,
        prices=LandscapePrices(landscape, landscape.known_block_losses(seed)),
        problem=problem_of(kind, landscape),
    )


def warm_up(task: Task, ledger: Ledger, at_random: bool = False) -> None:
    """Evaluate what everybody begins with; `at_random`: as many, without the engine's warm start."""
    engine = Ours(task)
    for codes in (ledger.landscape.original, *ledger.landscape.bought)[: task.evaluations]:
        engine.tell(codes, ledger.evaluate(codes))
    while len(ledger.seen) < min(WARM_UP, task.evaluations) and not ledger.is_exhausted:
        wanted = ledger.random() if at_random else engine.ask()
        codes = ledger.stand_in() if wanted is None or wanted in ledger.seen else wanted
        engine.tell(codes, ledger.evaluate(codes))


def _next(method: Method, ledger: Ledger) -> Codes:
    for _ in range(1 + method.patience):
        codes = method.ask()
        if codes is None:
            break
        network = ledger.canonical(codes)
        if network in ledger.seen:
            ledger.repeats += 1
            method.repeat(codes, ledger.seen[network])
        elif not ledger.holds(network):
            ledger.absent += 1
            method.refuse(codes)
        else:
            return codes
    return ledger.stand_in()
