"""How coordinators divide what they have in common: a rule each of them computes alone, from the same rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Standing:
    """What one living coordinator says of itself.

    Attributes:
        id: Its process row.
        place: What its workers run on: equal for coordinators that share machines or a cluster.
        projects: Searches it drives, by project.
        exports: Networks it packs.
    """

    id: str
    place: str
    projects: Mapping[str, int] = field(default_factory=dict)
    exports: int = 0

    @property
    def searches(self) -> int:
        """Searches it drives."""
        return sum(self.projects.values())

    @property
    def wants(self) -> int:
        """What it needs workers for: searches and exports."""
        return self.searches + self.exports


def divided(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Whole parts of a total in proportion to weights; largest remainders first, ties by name.

    The parts add up to the total, unless all weights are zero: then they are zero.
    """
    whole = sum(weights.values())
    if whole == 0:
        return dict.fromkeys(weights, 0)
    exact = {name: total * weight / whole for name, weight in weights.items()}
    parts = {name: math.floor(share) for name, share in exact.items()}
    by_remainder = sorted(weights, key=lambda name: (parts[name] - exact[name], name))
    for name in by_remainder[: total - sum(parts.values())]:
        parts[name] += 1
    return parts


def slots_of(me: str, total: float, alive: Sequence[Standing], turn: int = 0) -> float:
    """CPUs that one coordinator may use of those at its place.

    One for each that has work, and the rest in proportion to it. Where there are fewer CPUs than such
    coordinators they take turns, because a worker that was hired is kept: without turns the first to
    come would keep the only one. A coordinator without work leaves everything to those that have some.

    Args:
        me: Whose share is asked for.
        total: CPUs there are.
        alive: Every living coordinator.
        turn: A number that grows with time, the same for all.
    """
    mine = next((one for one in alive if one.id == me), None)
    wants = {one.id: one.wants for one in alive if mine is not None and one.place == mine.place and one.wants}
    if not wants.keys() - {me}:
        return total
    if me not in wants:
        return 0.0
    names, whole = sorted(wants), math.floor(total)
    if whole < len(names):
        return float((names.index(me) - turn * whole) % len(names) < whole)
    return 1.0 + divided(whole - len(names), wants)[me]


def quota_of(me: str, project: str, quota: int, alive: Sequence[Standing]) -> int:
    """Jobs of a project that one coordinator may run at once; all parts together are the quota."""
    weights = {one.id: one.projects.get(project, 0) for one in alive if one.projects.get(project, 0)}
    weights.setdefault(me, 1)
    return divided(quota, weights)[me]


def searches_of(open_searches: int, most: int, alive: int) -> int:
    """Searches that one coordinator should drive at most, so that the others get theirs."""
    return min(most, math.ceil(open_searches / max(1, alive)))


def in_turn(waiting: Sequence[tuple[str, str]], driven: Mapping[str, int]) -> list[str]:
    """Search ids in the order in which they should be taken: of the project with the fewest driven, oldest first.

    Args:
        waiting: `(search, project)`, oldest first.
        driven: Searches driven already, by project.
    """
    counts = Counter(driven)
    left = list(waiting)
    order: list[str] = []
    while left:
        chosen = min(left, key=lambda one: counts[one[1]])  # the first of equals: the oldest
        left.remove(chosen)
        counts[chosen[1]] += 1
        order.append(chosen[0])
    return order
