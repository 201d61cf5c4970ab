"""What a method has to do to be compared, and the registry of those that do it.

A method is told evaluations and asked for the next architecture, one at a time. It never has to avoid repeats or
architectures that do not exist: the protocol does (`benchmarks.search.protocol`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.search.landscape import Measured
from benchmarks.search.prices import LandscapePrices
from nas.domain.objective import Problem

Codes = tuple[int, ...]


@dataclass(frozen=True)
class Task:
    """What a method is asked to do.

    Attributes:
        kind: `epsilon` (least cost with loss, and perhaps latency, within bounds), `front` (cost against loss), or
            `grid` (the ε task for several values at once; who cannot be asked that draws the front).
        cardinalities: Variants per stage; 0 is the original's, the others follow from dear to cheap.
        epsilon: Greatest loss of the ε task.
        latency_at_most: Greatest latency of the ε task, if bounded.
        grid: Values of ε in the grid task.
        evaluations: In all, the warm-up included.
        seed: Of every random draw.
        prices: Exact costs and block losses. For our own strategies and for the additive score, which consists of
            them; every other peer knows the cost of what was evaluated and nothing else.
        problem: The same task in the project's own terms.
    """

    kind: str
    cardinalities: tuple[int, ...]
    epsilon: float
    latency_at_most: float | None
    grid: tuple[float, ...]
    evaluations: int
    seed: int
    prices: LandscapePrices
    problem: Problem

    def violations(self, measured: Measured) -> list[float]:
        """Relative violation of each bound of the ε task, negative within; nothing in other tasks."""
        if self.kind != "epsilon":
            return []
        found = [measured.loss / self.epsilon - 1]
        if self.latency_at_most is not None and measured.latency is not None:
            found.append(measured.latency / self.latency_at_most - 1)
        return found


class Method(ABC):
    """One search.

    Attributes:
        patience: How often it is asked again after a repeat before a random architecture stands in.
    """

    patience = 10

    def __init__(self, task: Task) -> None:
        self.task = task

    @abstractmethod
    def tell(self, codes: Codes, measured: Measured) -> None:
        """Learn an evaluation: of the warm-up, of what was asked for, or of a random stand-in."""

    @abstractmethod
    def ask(self) -> Codes | None:
        """What to evaluate next; None when it has no idea left."""

    def repeat(self, codes: Codes, measured: Measured) -> None:
        """Hear that the last suggestion was evaluated before; nothing was charged."""
        self.tell(codes, measured)

    def refuse(self, codes: Codes) -> None:  # noqa: B027  # most learn nothing from it
        """Hear that the last suggestion does not exist."""


@dataclass(frozen=True)
class Entry:
    """A method in the registry.

    Attributes:
        make: Makes one; imports what it needs.
        needs: Packages that have to be installed.
        needs_block_losses: Whether it is nothing without them.
        is_ablation: Whether it is our engine without one of its parts.
        random_warm_up: Whether its warm-up is the original, what was bought, and random architectures of the seed,
            as many as everybody's: the shared warm-up would hide what the engine's warm start is worth.
        stops_early: Whether its evaluations end early when they are clearly beyond the bound, the greatest of a grid;
            for the front nothing is beyond anything, and it does not take part.
        each_epsilon: Evaluations that each ε of the grid gets after the warm-up; it takes part in that task only.
            None: as many as everybody gets, in every task.
    """

    make: Callable[[Task], Method]
    needs: tuple[str, ...] = ()
    needs_block_losses: bool = False
    is_ablation: bool = False
    random_warm_up: bool = False
    stops_early: bool = False
    each_epsilon: int | None = None


METHODS: dict[str, Entry] = {}


def register(name: str, make: Callable[[Task], Method], *needs: str, **traits: Any) -> None:
    """Enter a method; a name has one meaning. `traits` are the other fields of `Entry`."""
    if name in METHODS:
        raise ValueError(f"{name} is registered already")
    METHODS[name] = Entry(make, needs, **traits)


def load_methods() -> dict[str, Entry]:
    """All methods, ours first."""
    from benchmarks.search import ablations, ours, peers  # they register themselves

    assert ours, (ablations, peers)
    return METHODS
