"""How far repeated medians are apart, and whether two networks were told from each other. From rows alone."""

from __future__ import annotations

import statistics
from typing import Any

WITHIN = 0.05
"""How far a median may be from the middle one."""


def report(rows: list[dict[str, Any]], slower: str) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """Spread of every network, and how often two networks were ordered rightly.

    Args:
        rows: Of each turn and network.
        slower: The network with more multiplications and otherwise the same: which one it is must be known from
            elsewhere, because what is judged here cannot be its own judge.
    """
    clocks = [clock for clock in ("wall", "processor") if all(row[clock] for row in rows)]
    spreads, order = [], []
    names = sorted({row["network"] for row in rows}, key=lambda name: name == slower)
    for clock in clocks:
        canary = statistics.median(row[clock]["canary_ms"] for row in rows)
        for how, key, factor in (("raw", "median_ms", 1.0), ("steadied", "ratio", canary)):
            values = {name: [row[clock][key] * factor for row in rows if row["network"] == name] for name in names}
            told = {"clock": clock, "how": how}
            spreads += [{"network": name, **told, "times": len(own), **_spread(own)} for name, own in values.items()]
            first, second = values.values()
            order.append({**told, "networks": ", ".join(names), **_order(first, second)})
    tables = {
        "How far repeated medians are apart": spreads,
        "Whether the slower network was told from the other": order,
    }
    return {"rows": rows, "spreads": spreads, "order": order}, tables


def _spread(values: list[float]) -> dict[str, Any]:
    middle = statistics.median(values)
    off = [abs(value / middle - 1) for value in values]
    return {
        "middle ms": middle,
        "farthest %": 100 * max(off),
        "mean %": 100 * statistics.mean(off),
        f"within {100 * WITHIN:.0f} %": f"{sum(one <= WITHIN for one in off)} of {len(off)}",
    }


def _order(faster: list[float], slower: list[float]) -> dict[str, Any]:
    """Within one turn, and over all pairs of turns, which the machine's drift separates."""
    right = [b > a for a, b in zip(faster, slower, strict=True)]
    crossed = [b > a for a in faster for b in slower]
    return {
        "difference %": 100 * (statistics.median(slower) / statistics.median(faster) - 1),
        "right within a turn": f"{sum(right)} of {len(right)}",
        "right over all pairs %": 100 * statistics.mean(crossed),
    }
