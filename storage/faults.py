"""One table: database error -> the error a caller can act on.

Installed as SQLAlchemy's `handle_error` hook, so that connecting, executing and committing all speak
the project's errors at the place where they happen.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError

from nas.errors import Conflict, CorruptArtifact, NasError, NotFound, TransientError
from storage.refusals import read_only

_LOCKED = TransientError("The database is locked by another process.", "Try again; no writer holds it for long.")
_FULL = TransientError("The disk of the database is full or failing.", "Free some space, then try again.")
_UNREACHABLE = TransientError("The database cannot be reached.", "Check that it runs, then try again.")
_GIVEN_UP = TransientError("The database gave the transaction up.", "Try again from its beginning.")
_DAMAGED = CorruptArtifact("The database file is damaged.", "Restore it from a copy; nothing was changed.")
_NO_SCHEMA = Conflict("The database's tables are not those of this version.", "Migrate the database first.")

_SQLITE = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: _FULL,
    sqlite3.SQLITE_CANTOPEN: _UNREACHABLE,
    sqlite3.SQLITE_READONLY: read_only(),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
_POSTGRESQL = {
    "40001": _LOCKED,  # serialization failure
    "40P01": _LOCKED,  # deadlock: the server chose this transaction to give way
    "55P03": _LOCKED,  # lock not available within lock_timeout
    "53100": _FULL,
    "25006": read_only(),
    "25P02": _GIVEN_UP,  # used again after it had failed
    "25P03": _GIVEN_UP,  # idle for too long: its process was stopped, and others needed the locks
    "42P01": _NO_SCHEMA,
    "42703": _NO_SCHEMA,
}


def install(engine: Engine) -> None:
    """Make every connection of `engine` raise the project's errors."""
    event.listen(engine, "handle_error", _raise_translated)


def _raise_translated(context: ExceptionContext) -> None:
    if context.is_pre_ping:
        return  # a pooled connection that died meanwhile; the pool replaces it by itself
    translated = translate(context.sqlalchemy_exception or context.original_exception)
    if translated is not None:
        raise translated from context.original_exception


def translate(error: BaseException) -> NasError | None:
    """What `error` means to a caller, or None for a programming error, which should stay loud."""
    if isinstance(error, DataError | OverflowError | UnicodeEncodeError):
        return NotFound("There can be no row of that identity.", "A number is too large or a text is not Unicode.")
    if not isinstance(error, DBAPIError):
        return None
    known = _known(error.orig)
    if known is not None:
        detail = str(error.orig).strip().splitlines()
        return type(known)(f"{known.message} ({detail[0] if detail else 'no detail'})", known.hint)
    if isinstance(error, IntegrityError):
        return Conflict("The database refuses a second row of the same identity.", "Read again and decide anew.")
    if isinstance(error, OperationalError | InterfaceError):
        return TransientError(f"{_UNREACHABLE.message} ({error.orig})", _UNREACHABLE.hint)
    return None


def _known(original: object) -> NasError | None:
    if isinstance(original, sqlite3.Error):
        # Extended codes carry the primary code in their low byte.
        code = getattr(original, "sqlite_errorcode", 0) & 0xFF
        missing = "no such table" in str(original) or "no such column" in str(original)
        return _NO_SCHEMA if missing else _SQLITE.get(code)
    return _POSTGRESQL.get(str(getattr(original, "sqlstate", "")))
