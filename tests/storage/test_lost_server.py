"""A PostgreSQL server that is killed, restarted and stopped while it is in use."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from nas.errors import TransientError
from storage import connection as connection_module
from storage.unit_of_work import Database, open_database
from tests.storage.databases import fresh_address
from tests.storage.values import a_search, a_trial


class Server:
    """A server of its own, because the others are used by everybody."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pgserver

            self._server = pgserver.get_server(tempfile.mkdtemp(prefix="pg-"), cleanup_mode="delete")
        self.database = open_database(self._server.get_uri())

    def kill(self) -> None:
        """`kill -9` the server and everything it started."""
        family = self._family()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                os.kill(process.pid, signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)

    def stop_answering(self) -> None:
        """SIGSTOP: connections stay open, and nothing comes back."""
        self._stopped = [process.pid for process in self._family()]
        for pid in self._stopped:
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        for pid in self._stopped:
            os.kill(pid, signal.SIGCONT)

    def _family(self) -> list[psutil.Process]:
        first = psutil.Process(self._server.get_pid())
        return [first, *first.children(recursive=True)]

    def start(self) -> None:
        """Start it again, as soon as the kernel has let go of what the dead ones shared; it recovers by itself."""
        for _ in range(20):
            with suppress(subprocess.CalledProcessError):
                self._server.ensure_postgres_running()
                return
        pytest.fail("the server does not start again")

    def close(self) -> None:
        self.database.close()
        self._server.cleanup()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    started = Server()
    started.database.migrate()
    with started.database.unit_of_work() as work:
        work.searches.add(a_search())
        work.commit()
    yield started
    started.close()


def add_trial(database: Database, number: int, midway: Callable[[], None], at_the_end: Callable[[], None]) -> None:
    with database.unit_of_work() as work:
        work.trials.add(a_trial(number))
        midway()
        work.events.append("alpha", "trial", "{}", 0.0)
        at_the_end()
        work.commit()


def test_whenever_the_server_dies_it_is_transient_and_nothing_committed_is_lost(server: Server) -> None:
    def nothing() -> None:
        pass

    add_trial(server.database, 0, nothing, nothing)
    for number, moments in enumerate([(server.kill, nothing), (nothing, server.kill)], start=1):
        with pytest.raises(TransientError):
            add_trial(server.database, number, *moments)
        with pytest.raises(TransientError):
            server.database.ping()
        server.start()
        server.database.ping()
        with server.database.reader() as view:
            assert [trial.number for trial in view.trials.of_search("alpha")] == [0]
            assert view.events.last("alpha") == 1


def test_a_server_that_was_stopped_does_not_answer_and_nobody_waits_for_ever(server: Server) -> None:
    server.database.ping()
    server.stop_answering()
    try:
        for _ in range(3):
            with pytest.raises(TransientError, match="does not answer"):
                server.database.ping(0.1)
        assert server.database.engine.pool.checkedout() <= 1
    finally:
        server.go_on()
    server.database.ping(10.0)


def test_a_transaction_used_again_after_its_connection_was_lost_is_transient(server: Server) -> None:
    def use_again() -> None:
        with server.database.unit_of_work() as work:
            work.searches.get("alpha")
            server.kill()
            with suppress(TransientError):
                work.searches.get("alpha")
            work.searches.get("alpha")

    with pytest.raises(TransientError):
        use_again()
    server.start()
    server.database.ping()


def test_a_writer_that_was_stopped_does_not_keep_others_from_writing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(connection_module, "IDLE_TIMEOUT_S", 1)
    database = open_database(fresh_address("postgresql", tmp_path))
    database.migrate()
    with database.unit_of_work() as work:
        work.searches.add(a_search())
        work.commit()

    def write_and_stop() -> None:
        with database.unit_of_work() as stopped:
            stopped.events.append("alpha", "holds the row", "{}", 0.0)
            began = time.monotonic()
            with database.unit_of_work() as other:
                assert other.events.append("alpha", "goes on", "{}", 0.0) == 1
                other.commit()
            assert 0.5 < time.monotonic() - began < 20
            stopped.commit()

    with pytest.raises(TransientError):
        write_and_stop()
    with database.reader() as view:
        assert [event[1] for event in view.events.after("alpha", 0, 9)] == ["goes on"]
    database.close()
