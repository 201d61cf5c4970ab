"""What a search knows about hardware: its measurements gathered for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from api.views import Document
from nas.domain.architecture import Architecture
from nas.domain.metric import FIDELITY_METRICS
from nas.domain.search import Search, TimedOn
from nas.domain.value import FrozenDict
from nas.engine.jobs import network_latencies
from nas.estimation.hardware_report import Judged, MeasuredOn, hardware_report

if TYPE_CHECKING:
    from api.service.points import Columns
    from api.service.state import Service
    from nas.domain.cost import ExactCosts
    from storage.unit_of_work import SqlUnitOfWork

_REPORT = "hardware report"
"""Under what name the report is kept beside the columns it was made of."""


def read_hardware(service: Service, uow: SqlUnitOfWork, search: Search) -> Document:
    """How costs and latencies of a search agree, device by device. Kept until the search's next event."""
    costs = service.blocks.costs(uow, search)
    if costs is None or len(costs.tables) < len(search.spec.devices):
        return {"search": search.id, "complete": False}
    with service.points.of(uow, search) as columns:
        last_event = columns.last_event
        kept_at, kept = columns.derived.get(_REPORT, (None, None))
        if kept_at == last_event:
            return dict(kept)
        judged = _judged(columns, search)
    devices = tuple(_measured_on(uow, search, costs, timed, judged) for timed in search.spec.devices)
    report = {"search": search.id, "complete": True, **hardware_report(search.space, costs, devices, judged)}
    with columns.lock:
        columns.derived[_REPORT] = (last_event, report)
    return report


def _judged(columns: Columns, search: Search) -> Judged:
    """The trials whose fidelity is known whole, on the fidelity that the problem is about."""
    asked = (*search.problem.metrics, *search.spec.fidelity.metrics)
    fidelity = next(name for name in asked if name in FIDELITY_METRICS)
    losses = columns.mean(fidelity)
    rows = np.flatnonzero(columns.measured & np.isfinite(losses))
    return Judged(
        numbers=tuple(columns.number[rows].tolist()),
        architectures=tuple(Architecture(choices=FrozenDict(columns.architecture(int(row)))) for row in rows),
        fidelity=fidelity,
        losses=tuple(losses[rows].tolist()),
    )


def _measured_on(uow: SqlUnitOfWork, search: Search, costs: ExactCosts, timed: TimedOn, judged: Judged) -> MeasuredOn:
    table = costs.table(timed.table_metric.name)
    canary_ms = table.canary_ms if table is not None else 0.0
    kind, networks = "measured", {}
    measured = network_latencies(uow.library, search.spec, timed.spec, judged.architectures)
    for number, found in zip(judged.numbers, measured, strict=True):
        if found is not None:
            kind, networks[number] = found.device.kind, found.told(canary_ms).mean
    return MeasuredOn(timed.spec.device, kind, timed.table_metric.name, timed.metric.name, networks)
