"""Rows made once and shared by all searches: library entries, latencies, evaluations."""

from __future__ import annotations

from sqlalchemy import Connection, Table, select

from nas.domain.device import LatencyMeasurement
from nas.domain.library import LibraryEntry
from storage.statements import insert_first
from storage.tables import evaluations, latencies, library_entries


class SqlLibrary:
    """Library entries and latencies by job key; the first one of a key wins."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def entry(self, key: str) -> LibraryEntry | None:
        """The entry of a distillation job's key, or None."""
        document = _document(self._connection, library_entries, key)
        return None if document is None else LibraryEntry.model_validate_json(document)

    def add_entry(self, entry: LibraryEntry) -> None:
        """Keep an entry."""
        insert_first(self._connection, library_entries, key=entry.key, document=entry.model_dump_json())

    def latency(self, key: str) -> LatencyMeasurement | None:
        """The measurement of a latency job's key, or None."""
        document = _document(self._connection, latencies, key)
        return None if document is None else LatencyMeasurement.model_validate_json(document)

    def add_latency(self, key: str, measurement: LatencyMeasurement) -> None:
        """Keep a measurement."""
        insert_first(self._connection, latencies, key=key, document=measurement.model_dump_json())


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
