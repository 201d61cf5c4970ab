"""The only commit of the project."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from nas.errors import Conflict, NasError, TransientError
from storage.administration.audit import SqlAudit
from storage.administration.devices import SqlDevices
from storage.administration.exports import SqlExports
from storage.administration.idempotency import SqlIdempotency
from storage.administration.keys import SqlKeys
from storage.administration.processes import SqlProcesses
from storage.administration.projects import SqlProjects
from storage.block_library import SqlEvaluations, SqlLibrary
from storage.connection import Access, make_engine, with_access
from storage.events import SqlEvents
from storage.leases import SqlLeases
from storage.libraries import SqlLibraries
from storage.search_pages import SqlSearchPages
from storage.searches import SqlSearches
from storage.trial_points import SqlTrialPoints
from storage.trials import SqlTrials


class SqlUnitOfWork:
    """One transaction on one connection. Leaving its block without `commit` rolls back.

    The first six repositories are the core's ports; the others serve the API.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.searches = SqlSearches(connection)
        self.trials = SqlTrials(connection)
        self.library = SqlLibrary(connection)
        self.evaluations = SqlEvaluations(connection)
        self.events = SqlEvents(connection)
        self.leases = SqlLeases(connection)
        self.search_pages = SqlSearchPages(connection)
        self.trial_points = SqlTrialPoints(connection)
        self.libraries = SqlLibraries(connection)
        self.projects = SqlProjects(connection)
        self.keys = SqlKeys(connection)
        self.audit = SqlAudit(connection)
        self.idempotency = SqlIdempotency(connection)
        self.exports = SqlExports(connection)
        self.processes = SqlProcesses(connection)
        self.devices = SqlDevices(connection)

    def commit(self) -> None:
        """Make everything since the block began durable, all or nothing.

        Raises:
            TransientError: If the disk is full, and nothing was stored; or if the connection was lost just
                now, and only reading again can tell.
        """
        self._connection.commit()


class Database:
    """A database of searches. Thread-safe; open it again in every process.

    Args:
        engine: From `make_engine`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._asking = threading.Lock()
        self._question: Future[None] | None = None

    @contextmanager
    def unit_of_work(self) -> Iterator[SqlUnitOfWork]:
        """One transaction that may write.

        On SQLite all writers take turns: keep it short, never wait for a job inside.

        Raises:
            TransientError: If the database is locked for half a minute or cannot be reached.
        """
        with _transaction(self.engine, "write") as connection:
            yield SqlUnitOfWork(connection)

    @contextmanager
    def reader(self) -> Iterator[SqlUnitOfWork]:
        """One consistent snapshot for reading; never waits for a writer and never holds one up.

        Raises:
            Conflict: At any attempt to write.
        """
        with _transaction(self.engine, "read") as connection:
            yield SqlUnitOfWork(connection)

    def migrate(self) -> None:
        """Bring the tables to this version's schema. Safe to call from many processes at once.

        Raises:
            Conflict: If the database belongs to a newer version; upgrade blocksmith.
        """
        from storage.schema import migrate  # Alembic is needed only here

        migrate(self.engine)

    def ping(self, timeout_s: float = 3.0) -> None:
        """Ask the database for a sign of life.

        A server that was stopped keeps its connections and answers nothing, hence the deadline.

        Raises:
            TransientError: If it gives none, or not in time.
        """
        with self._asking:
            if self._question is None or self._question.done():
                self._question = Future()
                threading.Thread(target=self._ask, args=(self._question,), daemon=True).start()
            question = self._question  # one at a time, or every caller would use up a connection
        try:
            question.result(timeout_s)
        except TimeoutError as error:
            raise TransientError("The database does not answer.", "Check that it runs, then try again.") from error

    def _ask(self, question: Future[None]) -> None:
        try:
            with _transaction(self.engine, "read") as connection:
                connection.execute(text("SELECT 1"))
            question.set_result(None)
        except NasError as error:
            question.set_exception(error)

    def backup(self, file: Path) -> None:
        """Copy the database as it stands into a new SQLite file; writers go on meanwhile.

        Raises:
            Conflict: If this is a PostgreSQL database: `pg_dump` does it better.
            TransientError: If the disk is full.
        """
        if self.engine.dialect.name != "sqlite":
            raise Conflict("A PostgreSQL database is not a file that could be copied.", "Use pg_dump.")
        with with_access(self.engine, "none").connect() as connection:
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            try:
                with closing(sqlite3.connect(file)) as target:
                    source.backup(target)
            except sqlite3.Error as error:
                raise TransientError(f"The database cannot be copied ({error}).", "Free some space.") from error

    def close(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Database at `sqlite:///FILE` or `postgresql://USER@HOST/NAME`; nothing is opened before it is used.

    Raises:
        SpecError: If the address is of another kind.
        MissingExtra: If PostgreSQL is asked for and psycopg is not installed.
    """
    return Database(make_engine(url))


@contextmanager
def _transaction(engine: Engine, access: Access) -> Iterator[Connection]:
    try:
        connection = with_access(engine, access).connect()
    except PoolTimeout as error:
        raise TransientError("All database connections are in use.", "Try again in a moment.") from error
    with connection:
        connection.begin()
        try:
            yield connection
        except PendingRollbackError as error:  # used again after it had failed
            raise TransientError("The connection to the database was lost.", "Try again.") from error
