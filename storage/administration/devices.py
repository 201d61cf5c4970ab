"""How devices stand, as each coordinator sees them: every one writes its own rows, on the database's clock."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, select

from nas.domain.device_state import DeviceState
from storage.statements import ServerTime, insert_into
from storage.tables import devices

KEPT_S = 7 * 86_400.0
"""A device that nobody saw for so long is forgotten."""


class SqlDevices:
    """States by observer and device."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, observer: str, states: Iterable[DeviceState]) -> None:
        """Say how devices stand as one coordinator sees them at this moment; forgets what is very old."""
        for state in states:
            row = {"seen_at": ServerTime(), "document": state.model_dump_json()}
            statement = insert_into(self._connection, devices).values(observer=observer, name=state.name, **row)
            keys = [devices.c.observer, devices.c.name]
            self._connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=row))
        self._connection.execute(delete(devices).where(devices.c.seen_at < ServerTime() - KEPT_S))

    def seen(self) -> list[tuple[DeviceState, float]]:
        """`(state, seconds since it was said)` of all observers, by device."""
        age = (ServerTime() - devices.c.seen_at).label("age")
        statement = select(devices.c.document, age).order_by(devices.c.name, devices.c.observer)
        rows = self._connection.execute(statement)
        return [(DeviceState.model_validate_json(row.document), max(0.0, float(row.age))) for row in rows]
