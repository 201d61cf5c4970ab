"""Puts a machine's service together: one owner per data directory, a schema, a key, a socket, two processes."""

from __future__ import annotations

import os
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from api.installation import Installation
from api.settings import Settings
from api.up.child import Child
from api.up.listener import address_of, listen, listen_near
from api.up.local_key import local_key
from api.up.record import ServerRecord, erase_record, read_record, running_server, write_record
from api.up.supervisor import Signals, supervise
from nas.errors import Conflict

LOGS: Final = "logs"
_LOCK: Final = "up.lock"
_PORT_PATIENCE_S: Final = 15.0


def run_service(
    settings: Settings,
    announce: Callable[[ServerRecord, str], None],
    say: Callable[[str], None],
    *,
    must_have_port: bool = True,
) -> None:
    """Serve a data directory until SIGINT or SIGTERM, then drain and return; nothing is left running.

    Args:
        settings: Where, and at which address.
        announce: Called once the page answers, with the record and the key of this machine.
        say: Told what happens to the processes.
        must_have_port: Whether a taken port is an error; else one of the next is as good.

    Raises:
        Conflict: If the directory is served already, or the port is taken.
        TransientError: If the service does not come up.
    """
    settings = settings.model_copy(update={"data": settings.data.resolve()})
    logs = settings.data / LOGS
    logs.mkdir(parents=True, exist_ok=True)
    signals = Signals()
    with _sole_owner(settings.data), signals.heeded():
        installation = Installation(settings=settings)
        key = local_key(installation)
        with _listening(settings, must_have_port) as listener:
            url = address_of(listener)
            children = _children(settings, listener, logs, say)
            try:
                supervise(
                    children,
                    signals,
                    is_ready=lambda: _answers(url),
                    on_ready=lambda: announce(write_record(settings.data, url), key),
                    drain_s=settings.drain_s,
                )
            finally:
                erase_record(settings.data)


def page_link(url: str, key: str | None) -> str:
    """Link that signs its holder in. A fragment stays in the browser: no server and no log ever sees it."""
    return f"{url}/#key={key}" if key else f"{url}/"


@contextmanager
def _sole_owner(data: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        with FileLock(data / _LOCK, blocking=False):
            yield
    except Timeout:
        record = running_server(data)
        where = f"It answers at {record.url}." if record else "It is still starting or stopping."
        raise Conflict(f"{data} is served already. {where}", f"Stop it: blocksmith down --data {data}") from None


@contextmanager
def _listening(settings: Settings, must_have_port: bool) -> Iterator[socket.socket]:
    # After a kill -9 the processes left behind end by themselves, and the port comes free within seconds.
    was_killed = read_record(settings.data) is not None
    take = listen if must_have_port else listen_near
    listener = take(settings.host, settings.port, _PORT_PATIENCE_S if was_killed else 0.0)
    try:
        yield listener
    finally:
        listener.close()


def _children(settings: Settings, listener: socket.socket, logs: Path, say: Callable[[str], None]) -> list[Child]:
    environment = {**os.environ, **_as_environment(settings, listener)}
    program = [sys.executable, "-m", "api.cli"]
    descriptor = listener.fileno()
    api = [*program, "api", "--lifeline", "--listening", str(descriptor)]
    coordinator = [*program, "coordinator", "--lifeline"]
    return [
        Child("api", api, environment, logs / "api.log", say, listening=[descriptor]),
        Child("coordinator", coordinator, environment, logs / "coordinator.log", say),
    ]


def _as_environment(settings: Settings, listener: socket.socket) -> dict[str, str]:
    """Settings that a command may have changed; the children read all others for themselves."""
    return {
        "BLOCKSMITH_DATA": str(settings.data),
        "BLOCKSMITH_HOST": settings.host,
        "BLOCKSMITH_PORT": str(listener.getsockname()[1]),
        "BLOCKSMITH_SLOTS": str(settings.slots),
    }


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/live", timeout=1.0) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
