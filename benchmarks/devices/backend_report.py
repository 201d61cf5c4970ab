"""What devices say of the same networks: figures, tables against truth, and who agrees with whom. From records alone.

Every latency is told by two clocks where both say something: `wall`, as the product takes it, and `processor`.
Estimates and models have no clock; they stand in both columns as they are.
"""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.devices.backend_jobs import FLOOR, Record, blocks_of, canonical
from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.cost import LatencyTable
from nas.domain.device import LatencyMeasurement
from nas.estimation.latency_residual import additivity
from nas.estimation.rank import kendall_tau

CLOCKS = ("wall", "processor")
LEAST = 3
"""Networks below which no order is told."""
COSTS = {"params": "params", "gmacs": "GMACs"}
Tables = dict[str, list[dict[str, Any]]]
Measured = Mapping[str, LatencyMeasurement]


def report(
    stages: Sequence[str], networks: Sequence[Record], devices: Sequence[str], records: Sequence[Record]
) -> tuple[dict[str, Any], Tables]:
    """Everything that is written: the document, and tables by title.

    Args:
        stages: Every stage of the teacher.
        networks: With `name`, `choices` and their costs.
        devices: In the order shown.
        records: Of measurements, good and bad; of other networks or devices, too.
    """
    own = {device: [one for one in records if one["device"] == device] for device in devices}
    tried = [_held(stages, networks, device, clock, own[device]) for device in devices for clock in CLOCKS]
    held = [one for one in tried if one is not None]
    latencies = {clock: {device: steadied_ms(own[device], clock) for device in devices} for clock in CLOCKS}
    agreement = {clock: agreements(networks, latencies[clock]) for clock in CLOCKS}
    errors = _errors(own)
    summary = [_summary(device, networks, own[device]) for device in devices]
    by_name = {clock: _by_name(networks, latencies[clock]) for clock in CLOCKS}
    document = {
        "networks": list(networks),
        "devices": summary,
        "additivity": held,
        "agreement": agreement,
        "latencies_ms": by_name,
        "errors": errors,
    }
    tables: Tables = {
        "Devices: medians over networks": summary,
        "Errors": errors,
        "Tables of isolated blocks against assembled networks": [
            {key: value for key, value in row.items() if key != "networks_ms"} for row in held
        ],
    }
    for clock in CLOCKS:
        tables[f"Agreement in order (Kendall's tau), {clock} clock"] = _square(agreement[clock])
    tables["Milliseconds of each network, steadied by the canary, processor clock"] = [
        {"network": name, **row} for name, row in by_name["processor"].items()
    ]
    return document, tables


def latency_of(record: Record, clock: str) -> LatencyMeasurement | None:
    """A record's latency by a clock; an estimate, which has none, as it is."""
    if "error" in record:
        return None
    return LatencyMeasurement.model_validate_json(json.dumps(record[clock] or record["wall"]))


def measured(records: Sequence[Record], kind: str, clock: str) -> dict[str, LatencyMeasurement]:
    """What was measured of a kind, by what it is."""
    found = {one["what"]: latency_of(one, clock) for one in records if one["kind"] == kind}
    return {what: one for what, one in found.items() if one is not None}


def steadied_ms(records: Sequence[Record], clock: str) -> dict[str, float]:
    """Milliseconds of one device's networks, as on the machine of the middle one of them."""
    found = measured(records, "network", clock)
    canary = _canary(found)
    return {what: one.steadied_ms(canary) for what, one in found.items()}


def table_of(found: Measured) -> LatencyTable:
    """The table that the product makes of a device's blocks."""
    blocks = {place: one for place, one in found.items() if place != FLOOR}
    return LatencyTable.of("table_latency_ms", found[FLOOR], blocks)


def agreements(networks: Sequence[Record], latencies: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    """Kendall's tau of every two of params, multiplications and devices, over the networks that both have."""
    columns: dict[str, Mapping[str, float]] = {
        title: {canonical(one["choices"]): float(one[figure]) for one in networks} for figure, title in COSTS.items()
    }
    columns |= {device: own for device, own in latencies.items() if own}
    found = []
    for first, second in itertools.combinations(columns, 2):
        both = [canonical(one["choices"]) for one in networks]
        both = [what for what in both if what in columns[first] and what in columns[second]]
        tau = math.nan
        if len(both) >= LEAST:
            tau = kendall_tau(*(np.array([columns[side][what] for what in both]) for side in (first, second)))
        told = tau if math.isfinite(tau) else None
        found.append({"first": first, "second": second, "networks": len(both), "kendall_tau": told})
    return found


def _held(
    stages: Sequence[str], networks: Sequence[Record], device: str, clock: str, records: Sequence[Record]
) -> dict[str, Any] | None:
    """A device's table against its networks, as far as both are there; None below two networks."""
    if clock != CLOCKS[0] and not any(one.get(clock) for one in records):
        return None
    blocks, assembled = measured(records, "block", clock), measured(records, "network", clock)
    if FLOOR not in blocks:
        return None
    table, rows = table_of(blocks), []
    for one in networks:
        what = canonical(one["choices"])
        if what in assembled and all(place in blocks for place in blocks_of(stages, [one])):
            price = table.total_ms((stage, one["choices"].get(stage, TEACHER_VARIANT)) for stage in stages)
            rows.append({"network": one["name"], "table": price, "is": assembled[what].steadied_ms(table.canary_ms)})
    if len(rows) < 2:
        return None
    figures = additivity(np.array([row["table"] for row in rows]), np.array([row["is"] for row in rows]))
    return {"device": device, "clock": clock, "blocks": len(blocks), **figures, "networks_ms": rows}


def _summary(device: str, networks: Sequence[Record], records: Sequence[Record]) -> dict[str, Any]:
    tried = [one for one in records if one["kind"] == "network"]
    good = [one for one in tried if "error" not in one]
    row: dict[str, Any] = {
        "device": device,
        "networks": f"{len(good)} of {len(networks)}",
        "failed": len(tried) - len(good),
        "blocks": sum(one["kind"] == "block" and "error" not in one for one in records),
    }
    if not good:
        return row | dict.fromkeys(_figures(()), "") | {"kind": "nothing that worked" if tried else "not measured"}
    return row | _figures(good)


def _figures(good: Sequence[Record]) -> dict[str, Any]:
    """Medians over the networks that could be measured."""
    wall, processor = ([one for record in good if (one := latency_of(record, clock))] for clock in CLOCKS)
    named = {record["name"]: one for record, one in zip(good, wall, strict=True)}
    clocked = processor if any(record["processor"] for record in good) else []
    return {
        "kind": ", ".join(sorted({one.device.kind for one in wall})),
        "precision": ", ".join(sorted({one.protocol.precision for one in wall})),
        "runtime": ", ".join(sorted({one.device.runtime for one in wall})),
        "teacher ms": _middle(one.median_ms for name, one in named.items() if name == "teacher"),
        "winner ms": _middle(one.median_ms for name, one in named.items() if name == "winner"),
        "median ms": _middle(one.median_ms for one in wall),
        "± %": _middle(100 * _half_width(one.median_ms, *one.interval_ms) for one in wall),
        "canaries": _middle(one.relative[0] for one in wall if one.relative),
        "canaries ± %": _middle(100 * _half_width(*one.relative) for one in wall if one.relative),
        "processor ms": _middle(one.median_ms for one in clocked),
        "processor canaries": _middle(one.relative[0] for one in clocked if one.relative),
        "processor canaries ± %": _middle(100 * _half_width(*one.relative) for one in clocked if one.relative),
        "fall-backs": _middle(one.fallbacks for one in wall),
        "seconds": _middle(one.seconds for one in wall),
        "seconds of the process": _middle(record["job_s"] for record in good),
    }


def _errors(own: Mapping[str, Sequence[Record]]) -> list[dict[str, Any]]:
    found: Counter[tuple[str, str, str]] = Counter()
    example: dict[tuple[str, str, str], str] = {}
    for device, records in own.items():
        for one in records:
            if "error" in one:
                key = (device, one["kind"], one["error"])
                found[key] += 1
                example.setdefault(key, one["name"])
    return [
        {"device": device, "of": f"{count} {kind}s", "first": example[device, kind, error], "error": error}
        for (device, kind, error), count in found.items()
    ]


def _by_name(
    networks: Sequence[Record], latencies: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float | str]]:
    return {
        one["name"]: {device: own.get(canonical(one["choices"]), "") for device, own in latencies.items()}
        for one in networks
    }


def _square(pairs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = list(dict.fromkeys([one[side] for one in pairs for side in ("first", "second")]))
    told = {(one["first"], one["second"]): one for one in pairs}
    rows: list[dict[str, Any]] = []
    for first in names:
        row: dict[str, Any] = {"": first}
        for second in names:
            pair = told.get((first, second)) or told.get((second, first))
            known = pair is not None and pair["kendall_tau"] is not None
            row[second] = f"{pair['kendall_tau']:.2f} ({pair['networks']})" if pair and known else ""
        rows.append(row)
    return rows


def _canary(found: Measured) -> float:
    canaries = [statistics.median(one.canary_ms) for one in found.values() if one.canary_ms]
    return statistics.median(canaries) if canaries else 0.0


def _half_width(middle: float, low: float, high: float) -> float:
    return (high - low) / 2 / middle


def _middle(values: Iterable[float]) -> float | str:
    known = list(values)
    return statistics.median(known) if known else ""
