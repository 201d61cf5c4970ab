"""Every accident of a database reaches the caller as an error that says what to do."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path

import pytest

from nas.errors import Conflict, CorruptArtifact, NotFound, SpecError, TransientError
from storage import connection as connection_module
from storage.in_memory import InMemoryDatabase
from storage.unit_of_work import Database, open_database
from tests.storage.databases import fresh_address, migrated_postgresql, postgresql_address
from tests.storage.values import a_search


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    database = open_database(f"sqlite:///{tmp_path}/b.db")
    database.migrate()
    with database.unit_of_work() as work:
        work.searches.add(a_search())
        work.commit()
    database.close()
    return tmp_path / "b.db"


def test_a_locked_sqlite_file_is_transient(sqlite_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "LOCK_TIMEOUT_S", 0.1)
    database = open_database(f"sqlite:///{sqlite_file}")
    with (
        database.unit_of_work(),
        pytest.raises(TransientError, match="locked"),
        database.unit_of_work(),
    ):
        pytest.fail("two writers at once")
    database.close()


def test_a_row_locked_in_postgresql_is_transient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(connection_module, "LOCK_TIMEOUT_S", 1)
    database = open_database(fresh_address("postgresql", tmp_path))
    database.migrate()
    with database.unit_of_work() as work:
        work.searches.add(a_search())
        work.commit()
    with database.unit_of_work() as first:
        first.events.append("alpha", "holds the row", "{}", 0.0)
        with pytest.raises(TransientError, match="locked"), database.unit_of_work() as second:
            second.events.append("alpha", "waits", "{}", 0.0)
    database.close()


def test_a_writer_in_memory_that_waits_too_long_is_transient() -> None:
    database = InMemoryDatabase(lock_timeout_s=0.05)
    with database.unit_of_work(), pytest.raises(TransientError), database.unit_of_work():
        pytest.fail("two writers at once")
    with database.unit_of_work() as work:
        work.searches.add(a_search())


def test_a_full_disk_is_transient_and_loses_nothing_that_was_committed(sqlite_file: Path) -> None:
    database = open_database(f"sqlite:///{sqlite_file}")
    with database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")  # kept by the pooled connection

    def write_much() -> None:
        with database.unit_of_work() as work:
            work.evaluations.record("k", "x" * 1_000_000)
            work.commit()

    with pytest.raises(TransientError, match="disk"):
        write_much()
    with database.reader() as view:
        assert view.searches.get("alpha") == a_search()
        assert view.evaluations.recall("k") is None
    database.close()


def test_a_damaged_file_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "b.db").write_bytes(b"this is no database, but long enough to be taken for one" * 20)
    database = open_database(f"sqlite:///{tmp_path}/b.db")
    with pytest.raises(CorruptArtifact, match="damaged"):
        database.migrate()


def test_a_server_that_is_not_there_is_transient() -> None:
    database = open_database("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(TransientError, match="cannot be reached"), database.reader():
        pytest.fail("nobody listens there")


def test_a_database_that_is_not_there_is_transient(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/no/such/folder/b.db")
    with pytest.raises(TransientError, match="cannot be reached"), database.unit_of_work():
        pytest.fail("there is no such folder")


def test_a_connection_cut_by_the_server_is_transient_and_the_next_one_works() -> None:
    database = migrated_postgresql()
    cut_all_others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    def lose_the_connection() -> None:
        with database.unit_of_work() as work, database.engine.connect() as other:
            work.searches.list()
            other.exec_driver_sql(cut_all_others)
            work.searches.list()

    with pytest.raises(TransientError):
        lose_the_connection()
    with database.unit_of_work() as work:
        work.searches.list()


def test_pooled_connections_that_died_meanwhile_are_replaced_unnoticed() -> None:
    database = open_database(postgresql_address())
    with database.engine.connect() as pooled:
        process = pooled.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    with migrated_postgresql().engine.connect() as other:
        assert other.exec_driver_sql(f"SELECT pg_terminate_backend({process})").scalar()
    with database.engine.connect() as again:
        assert again.exec_driver_sql("SELECT pg_backend_pid()").scalar() != process
    database.close()


def test_too_many_units_of_work_at_once_are_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_POOL", {"pool_size": 2, "max_overflow": 2, "pool_timeout": 0.1})
    database = Database(connection_module.make_engine(postgresql_address()))
    with pytest.raises(TransientError, match="in use"):
        _open_many(database, 5)
    database.close()


def _open_many(database: Database, count: int) -> None:
    with database.reader():
        if count > 1:
            _open_many(database, count - 1)


@pytest.mark.parametrize(
    "address", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://host/name", "sqlite+aiosqlite:///x.db"]
)
def test_only_a_sqlite_file_or_postgresql_is_accepted(address: str) -> None:
    with pytest.raises(SpecError) as caught:
        open_database(address)
    (fault,) = caught.value.faults
    assert fault.pointer == "/database_url"
    assert fault.nearest.startswith("sqlite:///")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_usual_spelling_of_postgresql_is_accepted(scheme: str) -> None:
    assert open_database(f"{scheme}://user:secret@host/name").engine.url.drivername == "postgresql+psycopg"


def test_a_password_is_not_printed() -> None:
    assert "secret" not in repr(open_database("postgresql://user:secret@host/name").engine)


def test_errors_cross_process_borders(sqlite_file: Path) -> None:
    database = open_database(f"sqlite:///{sqlite_file}")
    with database.reader() as view:
        with pytest.raises(NotFound) as missing:
            view.searches.get("alpah")
        with pytest.raises(Conflict) as refused:
            view.searches.add(a_search("beta"))
    for error in (missing.value, refused.value):
        arrived = pickle.loads(pickle.dumps(error))
        assert (type(arrived), arrived.message, arrived.hint) == (type(error), error.message, error.hint)
    database.close()


def test_one_database_serves_many_threads(sqlite_file: Path) -> None:
    database, seen = open_database(f"sqlite:///{sqlite_file}"), []

    def read() -> None:
        with database.reader() as view:
            seen.append(view.searches.get("alpha").id)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["alpha"] * 8
    database.close()
