"""The block library of one search, as far as it is made: entries, prices, progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.service.least_recent import LRU
from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.cost import ExactCosts, LatencyTable
from nas.domain.device import LatencyMeasurement
from nas.domain.library import BlockLibrary, LibraryEntry, NetworkFloor
from nas.domain.search import Search, TimedOn
from nas.domain.value import FrozenDict
from nas.engine.jobs import block_latency_job, distillation_job, floor_job

if TYPE_CHECKING:
    from storage.unit_of_work import SqlUnitOfWork

Place = tuple[str, str]
"""Stage and variant."""

_STEM_AND_HEAD: Place = ("", TEACHER_VARIANT)


@dataclass(frozen=True)
class Keys:
    """Job keys of the results that a search's library consists of, latencies by metric. Computed once: digests."""

    blocks: dict[Place, str]
    latencies: dict[str, dict[Place, str]]
    floor: str


@dataclass(frozen=True)
class Blocks:
    """What is made of a library.

    Attributes:
        places: Every searched stage with every variant on offer, the teacher's first.
        entries: What is at hand.
        latencies: Isolated latencies at hand, by the metric that they add up to.
    """

    places: tuple[Place, ...]
    entries: dict[Place, LibraryEntry]
    latencies: dict[str, dict[Place, LatencyMeasurement]]

    @property
    def done(self) -> int:
        """Blocks at hand."""
        return len(self.entries)


class BlockCache:
    """Finds blocks and remembers them: what was made once never changes.

    Args:
        searches: Searches whose keys are kept; a key is a digest of a whole payload.
        results: Entries and latencies kept.
    """

    def __init__(self, searches: int = 256, results: int = 4096) -> None:
        self._keys: LRU[str, Keys] = LRU(searches)
        self._results: LRU[str, LibraryEntry | LatencyMeasurement] = LRU(results)

    def of(self, uow: SqlUnitOfWork, search: Search) -> Blocks:
        """Blocks of the searched stages."""
        keys = self._keys_of(search)
        entries = {place: self._entry(uow, key) for place, key in keys.blocks.items()}
        return Blocks(
            places=tuple(keys.blocks),
            entries={place: entry for place, entry in entries.items() if entry is not None},
            latencies={metric: self._latencies(uow, own) for metric, own in keys.latencies.items()},
        )

    def costs(self, uow: SqlUnitOfWork, search: Search) -> ExactCosts | None:
        """Prices of the whole space, stages that are not searched included; None while the library is incomplete."""
        used = [self._entry(uow, key) for key in uow.library.uses(search.id)]
        entries = {(entry.stage, entry.variant): entry for entry in used if entry is not None}
        keys = self._keys_of(search)
        stored = uow.evaluations.recall(keys.floor)
        if stored is None or not set(keys.blocks) <= set(entries):
            return None
        floor = NetworkFloor.model_validate_json(stored).cost
        named = FrozenDict({f"{stage}/{variant}": entry for (stage, variant), entry in entries.items()})
        return ExactCosts(
            stages=tuple(dict.fromkeys(stage for stage, _ in entries)),
            library=BlockLibrary(entries=named, floor=floor),
            tables=self._tables(uow, search, tuple(entries)),
        )

    def tables(self, uow: SqlUnitOfWork, search: Search) -> tuple[LatencyTable, ...]:
        """Latency tables of the devices on which everything is measured."""
        costs = self.costs(uow, search) if search.spec.devices else None
        return costs.tables if costs is not None else ()

    def _tables(self, uow: SqlUnitOfWork, search: Search, places: tuple[Place, ...]) -> tuple[LatencyTable, ...]:
        made = (self._table(uow, search, timed, places) for timed in search.spec.devices)
        return tuple(table for table in made if table is not None)

    def _table(
        self, uow: SqlUnitOfWork, search: Search, timed: TimedOn, places: tuple[Place, ...]
    ) -> LatencyTable | None:
        found: dict[Place, LatencyMeasurement] = {}
        for place in (_STEM_AND_HEAD, *places):
            measured = self._latency(uow, block_latency_job(search.spec, timed.spec, *place).key)
            if measured is None:
                return None
            found[place] = measured
        floor = found.pop(_STEM_AND_HEAD)
        blocks = {f"{stage}/{variant}": one for (stage, variant), one in found.items()}
        return LatencyTable.of(timed.table_metric.name, floor, blocks)

    def _keys_of(self, search: Search) -> Keys:
        return self._keys.get(search.id) or self._keys.keep(search.id, _keys(search))

    def _entry(self, uow: SqlUnitOfWork, key: str) -> LibraryEntry | None:
        known = self._results.get(key)
        if known is None and (known := uow.library.entry(key)) is not None:
            self._results.keep(key, known)
        return known if isinstance(known, LibraryEntry) else None

    def _latencies(self, uow: SqlUnitOfWork, keys: dict[Place, str]) -> dict[Place, LatencyMeasurement]:
        found = {place: self._latency(uow, key) for place, key in keys.items()}
        return {place: latency for place, latency in found.items() if latency is not None}

    def _latency(self, uow: SqlUnitOfWork, key: str) -> LatencyMeasurement | None:
        known = self._results.get(key)
        if known is None and (known := uow.library.latency(key)) is not None:
            self._results.keep(key, known)
        return known if isinstance(known, LatencyMeasurement) else None


def _keys(search: Search) -> Keys:
    spec = search.spec
    places = [
        (choices.stage, variant)
        for choices in search.space.stages
        for variant in dict.fromkeys((TEACHER_VARIANT, *choices.variants))
    ]
    return Keys(
        blocks={place: distillation_job(spec, *place).key for place in places},
        latencies={
            timed.table_metric.name: {place: block_latency_job(spec, timed.spec, *place).key for place in places}
            for timed in spec.devices
        },
        floor=floor_job(spec).key,
    )
