"""API keys: who may do what. The secret itself is never stored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import Connection, select, update

from nas.domain.value import Value
from nas.errors import Conflict, NotFound
from storage.statements import insert_first
from storage.tables import api_keys

Role = Literal["reader", "submitter", "admin"]


class ApiKey(Value):
    """One key.

    Attributes:
        project: What it opens; None opens the whole installation.
        name: What its owner calls it.
        secret_digest: SHA-256 of the secret, hexadecimal. The secret has 256 random bits, hence needs no salt.
        expires_at: Unix seconds; None for never.
        revoked_at: Unix seconds; None while it is good.
    """

    id: str
    project: str | None
    role: Role
    name: Annotated[str, Field(max_length=128)] = ""
    secret_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None


class SqlKeys:
    """Keys by id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, key: ApiKey) -> None:
        """Insert a new key.

        Raises:
            Conflict: If the id is taken.
        """
        columns = {name: getattr(key, name) for name in ("id", "project", "created_at", "revoked_at")}
        if not insert_first(
            self._connection, api_keys, **columns, document=key.model_dump_json(exclude={"revoked_at"})
        ):
            raise Conflict(f"There is a key {key.id!r} already.", "Draw another id.")

    def get(self, key_id: str) -> ApiKey:
        """One key, also a revoked or expired one.

        Raises:
            NotFound: If there is none.
        """
        row = self._connection.execute(select(api_keys).where(api_keys.c.id == key_id)).first()
        if row is None:
            raise _unknown(key_id)
        return _key(row)

    def list(self, project: str | None = None) -> list[ApiKey]:
        """Keys of a project, or with None all there are, newest first; revoked ones included."""
        statement = select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.id)
        if project is not None:
            statement = statement.where(api_keys.c.project == project)
        return [_key(row) for row in self._connection.execute(statement)]

    def revoke(self, key_id: str, at: float) -> None:
        """Make a key worthless from now on; the first revocation counts.

        Raises:
            NotFound: If there is none.
        """
        self.get(key_id)
        good = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
        self._connection.execute(update(api_keys).where(good).values(revoked_at=at))


def _key(row: Any) -> ApiKey:
    key: ApiKey = ApiKey.model_validate_json(row.document).evolve(revoked_at=row.revoked_at)
    return key


def _unknown(key_id: str) -> NotFound:
    return NotFound(f"There is no key {key_id[:64]!r}.", "List the keys to see their ids.")
