"""What goes wrong, and when: drawn from a seed, in bursts of overlapping faults.

A burst is followed by silence until every search has moved again; that is where recovery is timed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

Database = Literal["sqlite", "postgresql"]

EVERYWHERE = {
    "kill coordinator": 3,
    "stop coordinator": 3,
    "kill api": 2,
    "stop api": 2,
    "kill worker": 3,
    "stop worker": 2,
    "kill node": 1,
    "stop node": 1,
    "kill head": 1,
    "kill control plane": 1,
    "stop control plane": 1,
    "fill disk": 2,
    "delay messages": 2,
    "drop messages": 2,
    "repeat messages": 2,
}
"""Kinds of fault and how many of each lie in one deck. `head` and `node` are Ray's, `control plane` its GCS."""

ON_POSTGRESQL = {"kill database": 2, "stop database": 1, "delay rows": 1, "drop rows": 1}
"""Faults of a database server and of the connections to it: SQLite has neither."""

LASTING = ("stop", "fill", "delay", "drop", "repeat")
SHORTEST_S, LONGEST_S = 1.0, 20.0
LARGEST_BURST = 8
BURST_S = 8.0
"""Faults of one burst begin within this time."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        after_s: Seconds after the burst began.
        lasts_s: Seconds until it is over; 0 for a kill, which a supervisor answers by a restart.
        which: Picks among equals (two coordinators, several workers); taken modulo their number.
    """

    number: int
    kind: str
    after_s: float
    lasts_s: float
    which: int

    @property
    def ends_s(self) -> float:
        """Seconds after the burst began at which it is over."""
        return self.after_s + self.lasts_s


Burst = tuple[Fault, ...]


def draw_schedule(seed: int, faults: int, database: Database, without: frozenset[str] = frozenset()) -> list[Burst]:
    """Bursts of one to eight faults, together exactly `faults`.

    Kinds are dealt like cards: every kind has come before the deck is shuffled again.

    Args:
        without: Kinds that this machine does not allow.
    """
    draw = random.Random(seed)
    kinds = _dealt(draw, {**EVERYWHERE, **(ON_POSTGRESQL if database == "postgresql" else {})}, without)
    numbers = count()
    bursts: list[Burst] = []
    left = faults
    while left:
        size = min(left, draw.randint(1, LARGEST_BURST))
        bursts.append(tuple(_fault(draw, next(numbers), next(kinds)) for _ in range(size)))
        left -= size
    return bursts


def _dealt(draw: random.Random, weights: dict[str, int], without: frozenset[str]) -> Iterator[str]:
    while True:
        deck = [kind for kind, weight in weights.items() if kind not in without for _ in range(weight)]
        draw.shuffle(deck)
        yield from deck


def _fault(draw: random.Random, number: int, kind: str) -> Fault:
    lasts = kind.startswith(LASTING)
    # Most stops are short, some outlive a lease: uniform in the logarithm.
    lasts_s = SHORTEST_S * (LONGEST_S / SHORTEST_S) ** draw.random() if lasts else 0.0
    return Fault(number, kind, round(draw.uniform(0.0, BURST_S), 2), round(lasts_s, 2), draw.randrange(1000))
