"""Rows made once and shared by all searches: library entries, latencies, evaluations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, Table, select, update

from nas.domain.device import LatencyMeasurement
from nas.domain.library import LibraryEntry
from storage.refusals import unknown_search
from storage.statements import insert_first, insert_into
from storage.tables import evaluations, latencies, library_entries, library_uses, searches

_KEYS_PER_STATEMENT = 500  # databases bound the parameters of a statement
_BYTES_PER_PARAMETER = 4  # weights are stored as float32


class SqlLibrary:
    """Library entries and latencies by job key; the first one of a key wins, of latencies the first of a device."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def entry(self, key: str) -> LibraryEntry | None:
        """The entry of a distillation job's key, or None."""
        document = _document(self._connection, library_entries, key)
        return None if document is None else LibraryEntry.model_validate_json(document)

    def add_entry(self, entry: LibraryEntry) -> None:
        """Keep an entry."""
        row = {
            "key": entry.key,
            "weights": entry.weights,
            "size_bytes": _BYTES_PER_PARAMETER * entry.cost.params if entry.weights else 0,
            "document": entry.model_dump_json(),
        }
        insert_first(self._connection, library_entries, **row)

    def latency(self, key: str) -> LatencyMeasurement | None:
        """The measurement of a latency job's key, or None."""
        document = _document(self._connection, latencies, key)
        return None if document is None else LatencyMeasurement.model_validate_json(document)

    def latencies(self, keys: Collection[str]) -> Mapping[str, LatencyMeasurement]:
        """The measurements that there are of many keys, by key."""
        found: dict[str, LatencyMeasurement] = {}
        asked = tuple(keys)
        for start in range(0, len(asked), _KEYS_PER_STATEMENT):
            wanted = latencies.c.key.in_(asked[start : start + _KEYS_PER_STATEMENT])
            statement = select(latencies.c.key, latencies.c.document).where(wanted)
            for key, document in self._connection.execute(statement):
                found[key] = LatencyMeasurement.model_validate_json(document)
        return found

    def add_latency(self, key: str, measurement: LatencyMeasurement) -> None:
        """Keep a measurement; one of another fingerprint takes the place of what was measured before."""
        document = measurement.model_dump_json()
        if insert_first(self._connection, latencies, key=key, document=document):
            return
        stored = self.latency(key)
        if stored is not None and stored.device != measurement.device:
            self._connection.execute(update(latencies).where(latencies.c.key == key).values(document=document))

    def note_use(self, search_id: str, keys: Iterable[str]) -> None:
        """Note which entries a search draws from; noting the same again is a no-op.

        Raises:
            NotFound: If there is no such search.
        """
        if self._connection.scalar(select(searches.c.id).where(searches.c.id == search_id)) is None:
            raise unknown_search(search_id)
        rows = [{"search": search_id, "key": key} for key in sorted(set(keys))]
        if rows:
            self._connection.execute(insert_into(self._connection, library_uses).on_conflict_do_nothing(), rows)

    def uses(self, search_id: str) -> Sequence[str]:
        """Keys of the entries that a search draws from, sorted."""
        statement = select(library_uses.c.key).where(library_uses.c.search == search_id)
        return sorted(self._connection.scalars(statement))


class SqlEvaluations:
    """Results of evaluation and counting jobs by key, across searches; the first one wins."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def recall(self, key: str) -> str | None:
        """JSON of a result, byte for byte as recorded, or None."""
        return _document(self._connection, evaluations, key)

    def record(self, key: str, result: str) -> None:
        """Keep a result."""
        insert_first(self._connection, evaluations, key=key, document=result)


def _document(connection: Connection, table: Table, key: str) -> str | None:
    document: str | None = connection.scalar(select(table.c.document).where(table.c.key == key))
    return document
