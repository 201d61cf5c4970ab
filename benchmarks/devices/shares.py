"""Each stage's share of params, multiplications and latency. From figures alone."""

from __future__ import annotations

import statistics
from typing import Any

from nas.domain.library import BlockCost

OUTER, INNER = ("E1", "D1"), ("E4", "Mid", "D4")


def report(
    costs: dict[str, BlockCost], timed: dict[str, dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """Shares of params and multiplications are of the whole network; of latency, of all stages together."""
    wall, processor = steadied(timed, "wall"), steadied(timed, "processor")
    plain = {name: cost.macs - cost.attention_macs for name, cost in costs.items()}
    whole = {
        "params %": sum(cost.params for cost in costs.values()),
        "MACs %": sum(cost.macs for cost in costs.values()),
        "MACs without attention's products %": sum(plain.values()),
        "latency %": sum(processor.values()),
        "wall latency %": sum(wall.values()),
    }
    stages: list[dict[str, Any]] = []
    for name, ms in processor.items():
        own = (costs[name].params, costs[name].macs, plain[name], ms, wall[name])
        row = {
            "stage": name,
            "params": costs[name].params,
            "GMACs": costs[name].macs / 1e9,
            "ms": ms,
            "wall ms": wall[name],
            "± %": 100 * _half_width(timed[name]["processor"]),
            **{share: 100 * figure / whole[share] for share, figure in zip(whole, own, strict=True)},
            "ms per million params": ms / (costs[name].params / 1e6),
        }
        stages.append(row)
    groups = []
    for names in (OUTER, INNER):
        rows: list[dict[str, Any]] = [row for row in stages if row["stage"] in names]
        groups.append({"stages": " + ".join(names), **{share: sum(row[share] for row in rows) for share in whole}})
    floor = {name: {"params": cost.params, "macs": cost.macs} for name, cost in costs.items() if name not in timed}
    title = "Stages: milliseconds of processor time unless of the wall, steadied by the canary"
    document = {"stages": stages, "groups": groups, "floor": floor, "timed": timed}
    return document, {title: stages, "Outer and inner stages": groups}


def steadied(timed: dict[str, dict[str, Any]], clock: str) -> dict[str, float]:
    """Milliseconds by stage, as on the machine on which the canary takes what it took in the middle one of them."""
    told = {name: one[clock] for name, one in timed.items()}
    canary = statistics.median(one["canary_ms"] for one in told.values())
    return {name: one["relative"][0] * canary if one["relative"] else one["median_ms"] for name, one in told.items()}


def _half_width(one: dict[str, Any]) -> float:
    low, high = one["interval_ms"]
    return float(high - low) / 2 / float(one["median_ms"])
