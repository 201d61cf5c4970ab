"""Leases: who may drive a search."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from storage.statements import ServerTime, insert_into
from storage.tables import leases


class SqlLeases:
    """Expiring rows with a fencing token, on the database's clock.

    Each call is one statement, so that two callers can never both win. `renew` inside the unit of
    work that writes is the fence: it holds the lease's row until the commit.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def acquire(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Take a free, expired or own lease; returns the fencing token, or None if somebody holds it.

        The token grows at every success, also for the same holder: a process restarted under its old
        name shuts out what is left of itself.
        """
        fresh = {"holder": holder, "expires_at": ServerTime() + ttl_s}
        statement = (
            insert_into(self._connection, leases)
            .values(name=name, token=1, **fresh)
            .on_conflict_do_update(
                index_elements=[leases.c.name],
                set_={**fresh, "token": leases.c.token + 1},
                where=leases.c.holder.is_(None) | (leases.c.holder == holder) | (leases.c.expires_at <= ServerTime()),
            )
            .returning(leases.c.token)
        )
        token: int | None = self._connection.scalar(statement)
        return token

    def renew(self, name: str, token: int, ttl_s: float) -> bool:
        """Extend a lease; False when it was lost.

        An expired lease that nobody took is still its holder's: the token proves it.
        """
        statement = (
            update(leases)
            .where(leases.c.name == name, leases.c.token == token, leases.c.holder.is_not(None))
            .values(expires_at=ServerTime() + ttl_s)
        )
        return self._connection.execute(statement).rowcount == 1

    def release(self, name: str, token: int) -> None:
        """Give a lease back; a no-op when it was lost."""
        statement = update(leases).where(leases.c.name == name, leases.c.token == token).values(holder=None)
        self._connection.execute(statement)

    def held(self) -> dict[str, str]:
        """Holder of every lease that is in force, by name of the lease."""
        in_force = leases.c.holder.is_not(None) & (leases.c.expires_at > ServerTime())
        rows = self._connection.execute(select(leases.c.name, leases.c.holder).where(in_force))
        return {name: str(holder) for name, holder in rows}
