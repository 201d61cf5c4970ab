"""NSGA-II (Deb et al. 2002) as pymoo has it: integers, bounds as constraints, the warm-up as the first generation."""

# ruff: noqa: D102  # the base class says what each of them does

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from benchmarks.search.landscape import Measured
from benchmarks.search.methods import Codes, Method, Task, register

POPULATION = 12


class Generations(Method):
    """Hands out a generation one by one, and goes on when all of it was heard of."""

    patience = 3 * POPULATION

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._known: dict[Codes, Measured] = {}
        self._algorithm: Any = None
        self._generation: Any = None
        self._queue: deque[Codes] = deque()
        self._heard: dict[Codes, Measured | None] = {}

    def tell(self, codes: Codes, measured: Measured) -> None:
        self._known[codes] = measured
        self._heard[codes] = measured

    def refuse(self, codes: Codes) -> None:
        self._heard[codes] = None

    def ask(self) -> Codes:
        if self._algorithm is None:
            self._algorithm = _algorithm(self.task, list(self._known))
            self._next_generation()
        while not self._queue:
            self._tell_generation()
            self._next_generation()
        return self._queue.popleft()

    def _next_generation(self) -> None:
        self._generation = self._algorithm.ask()
        rows = [tuple(int(v) for v in row) for row in self._generation.get("X")]
        self._queue.extend(codes for codes in rows if codes not in self._known)

    def _tell_generation(self) -> None:
        goals, bounds = [], []
        for row in self._generation.get("X"):
            measured = self._known.get(tuple(int(v) for v in row))
            ends = [np.inf, np.inf] if measured is None else [measured.cost, measured.loss]
            goals.append(ends[:1] if self.task.kind == "epsilon" else ends)
            worst = Measured(np.inf, 1e12, 0.0, 1e12) if measured is None else measured
            bounds.append(self.task.violations(worst))
        self._generation.set("F", np.minimum(np.array(goals), 1e12))
        if self.task.kind == "epsilon":
            self._generation.set("G", np.array(bounds))
        self._algorithm.tell(infills=self._generation)


def _algorithm(task: Task, known: list[Codes]) -> Any:
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair

    bounds = 0 if task.kind == "front" else 1 + (task.latency_at_most is not None)
    problem = Problem(
        n_var=len(task.cardinalities),
        n_obj=1 if task.kind == "epsilon" else 2,
        n_ieq_constr=bounds,
        xl=np.zeros(len(task.cardinalities)),
        xu=np.array(task.cardinalities) - 1,
        vtype=int,
    )
    first = np.array(known)
    missing = POPULATION - len(first)
    if missing > 0:
        drawn = np.random.default_rng(task.seed).random((missing, first.shape[1])) * np.array(task.cardinalities)
        first = np.concatenate([first, drawn.astype(int)])
    algorithm = NSGA2(
        pop_size=POPULATION,
        sampling=first,
        crossover=SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    algorithm.setup(problem, termination=("n_gen", 10**6), seed=task.seed, verbose=False)
    return algorithm


register("pymoo-nsga2", Generations, "pymoo")
