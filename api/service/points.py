"""All trials of a search column by column, kept in memory and brought up to date by what changed.

Plots, fronts and filters ask about thousands of trials at once; parsing their documents for every
request would take seconds. A trial's points come from storage once, then only those written since.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from api.service.least_recent import LRU
from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.lifecycle import TrialStatus
from nas.domain.search import Search
from nas.domain.search_space import SearchSpace

if TYPE_CHECKING:
    from storage.trial_points import TrialPoint
    from storage.unit_of_work import SqlUnitOfWork

STATUSES: Final = tuple(status.value for status in TrialStatus)
COMPLETED: Final = STATUSES.index(TrialStatus.COMPLETED.value)
_CODE: Final = {status: code for code, status in enumerate(STATUSES)}
_BATCH: Final = 2000
_FIRST_ROOM: Final = 64

Array = NDArray[Any]


@dataclass
class MetricColumn:
    """One metric of every trial; NaN where it was not measured."""

    unit: str
    mean: Array
    sem: Array


@dataclass
class Columns:
    """Trials of one search. Hold `lock` while reading: `update` writes in place.

    Attributes:
        last_event: Last event of the snapshot that the columns show.
        size: Number of trials.
        codes: Variant number per trial and stage; -1 for a variant outside the space.
        changed: Event that tells of each trial's last write.
        share: Share of the hold-out samples that was seen; below 1 where an evaluation was stopped early.
    """

    space: SearchSpace
    last_event: int = -1
    size: int = 0
    number: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    status: Array = field(default_factory=lambda: np.zeros(0, np.int8))
    origin: Array = field(default_factory=lambda: np.zeros(0, np.int16))
    bounds_version: Array = field(default_factory=lambda: np.zeros(0, np.int32))
    changed: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    share: Array = field(default_factory=lambda: np.zeros(0, np.float64))
    codes: Array = field(init=False)
    metrics: dict[str, MetricColumn] = field(default_factory=dict)
    origins: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    derived: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.codes = np.zeros((0, len(self.space.stages)), np.int16)
        self._positions = [
            {variant: code for code, variant in enumerate(choices.variants)} for choices in self.space.stages
        ]
        self._rows: dict[int, int] = {}

    def row_of(self, number: int) -> int:
        """Row of a trial.

        Raises:
            KeyError: If there is none.
        """
        return self._rows[number]

    def update(self, points: list[TrialPoint], last_event: int) -> None:
        """Take over what changed."""
        for point in points:
            row = self._rows.get(point.number)
            if row is None:
                row = self._append(point.number)
            self._write(row, point)
        if points:
            self.derived.clear()
        self.last_event = last_event

    def mean(self, metric: str) -> Array:
        """Means of a metric, NaN where unmeasured."""
        column = self.metrics.get(metric)
        return np.full(self.size, np.nan) if column is None else column.mean[: self.size]

    @property
    def measured(self) -> Array:
        """Which trials have a verdict that may win or stand on a front: completed, and not stopped early."""
        return np.asarray((self.status[: self.size] == COMPLETED) & ~self.stopped_early)

    @property
    def stopped_early(self) -> Array:
        """Which trials were evaluated on some of the hold-out samples only."""
        return np.asarray(self.share[: self.size] < 1)

    def architecture(self, row: int) -> dict[str, str]:
        """Variant of every searched stage, in the order of execution."""
        return {
            choices.stage: choices.variants[code] if code >= 0 else "?"
            for choices, code in zip(self.space.stages, self.codes[row].tolist(), strict=True)
        }

    def metrics_of(self, row: int) -> dict[str, dict[str, Any]]:
        """Measurements of one trial, as its document has them."""
        return {
            name: {"mean": float(column.mean[row]), "sem": float(column.sem[row]), "unit": column.unit}
            for name, column in self.metrics.items()
            if not np.isnan(column.mean[row])
        }

    def _append(self, number: int) -> int:
        row = self.size
        if row == len(self.number):
            self._grow(max(_FIRST_ROOM, 2 * row))
        self.size += 1
        self.number[row] = number
        self._rows[number] = row
        return row

    def _grow(self, room: int) -> None:
        for name in ("number", "status", "origin", "bounds_version", "changed", "share", "codes"):
            setattr(self, name, _resized(getattr(self, name), room, 0))
        for column in self.metrics.values():
            column.mean, column.sem = _resized(column.mean, room, np.nan), _resized(column.sem, room, np.nan)

    def _write(self, row: int, point: TrialPoint) -> None:
        self.status[row] = _CODE[point.status]
        self.origin[row] = self._origin_code(point.origin)
        self.bounds_version[row] = point.bounds_version
        self.changed[row] = point.changed
        self.share[row] = point.share
        self.codes[row] = [
            positions.get(point.choices.get(choices.stage, TEACHER_VARIANT), -1)
            for choices, positions in zip(self.space.stages, self._positions, strict=True)
        ]
        for column in self.metrics.values():  # a reopened trial has lost what it had
            column.mean[row] = column.sem[row] = np.nan
        for name, (mean, sem, unit) in point.metrics.items():
            column = self._metric(name, unit)
            column.mean[row], column.sem[row] = mean, sem

    def _metric(self, name: str, unit: str) -> MetricColumn:
        if name not in self.metrics:
            room = len(self.number)
            self.metrics[name] = MetricColumn(unit, np.full(room, np.nan), np.full(room, np.nan))
        return self.metrics[name]

    def _origin_code(self, origin: str) -> int:
        if origin not in self.origins:
            self.origins.append(origin)
        return self.origins.index(origin)


class PointCache:
    """Columns of the searches asked about last; the least recently used are forgotten.

    Args:
        searches: How many are kept; ten thousand trials take about two megabytes.
    """

    def __init__(self, searches: int = 64) -> None:
        self._kept: LRU[str, Columns] = LRU(searches)

    @contextmanager
    def of(self, uow: SqlUnitOfWork, search: Search) -> Iterator[Columns]:
        """Columns of a search as the reader `uow` sees it, locked for the time of the block."""
        columns = self._kept.get(search.id) or self._kept.keep(search.id, Columns(search.space))
        with columns.lock:
            _refresh(columns, uow, search.id)
            yield columns


class _Reader(Protocol):
    trial_points: Any
    events: Any


def _refresh(columns: Columns, uow: _Reader, search_id: str) -> None:
    last = uow.events.last(search_id)
    if last <= columns.last_event:
        return
    changed: list[TrialPoint] = []
    after = -1
    while True:
        page = uow.trial_points.page(search_id, after=after, limit=_BATCH, changed_after=columns.last_event)
        changed.extend(page)
        if len(page) < _BATCH:
            break
        after = page[-1].number
    columns.update(changed, last)


def _resized(array: Array, room: int, fill: float) -> Array:
    grown = np.full((room, *array.shape[1:]), fill, array.dtype)
    grown[: len(array)] = array
    return grown
