"""The process in which Ray lives, apart from the coordinator: it may die or hang without harm to anything else.

Speaks JSON over a pipe. It is told `submit`, `cancel` and `limit`; it says `up`, `failed`, `alive` and `outcome`.
When the pipe ends, it ends.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from nas.domain.job import Job
from nas.errors import NasError
from nas.ports import Workspace
from workers.executor import Execute
from workers.ray_backend import RayBackend, RayDied

log = logging.getLogger(__name__)

ALIVE_S = 1.0
"""Longest silence of a host in good health."""
LONGEST_FAREWELL_S = 10.0


def host(
    connection: Connection,
    workspace: Workspace,
    execute: Execute,
    address: str,
    cpus: int | None,
    logs: Path | None,
    prepare: Callable[[], None] | None,
) -> None:
    """Run jobs on Ray until the pipe ends or the private Ray dies.

    Args:
        connection: To whoever asks for jobs.
        workspace: What workers may touch.
        execute: What a worker does with a job.
        address: A running cluster; empty starts a private Ray.
        cpus: Cores of the private Ray; None takes all.
        logs: Folder of the workers' log files.
        prepare: Called first, for instance to set up logging.
    """
    os.setsid()  # Ctrl-C in a terminal is for the coordinator, which lets its workers finish
    if prepare is not None:
        prepare()
    try:
        backend = RayBackend(workspace, address=address, cpus=cpus, execute=execute, logs=logs)
    except NasError as error:
        _say(connection, {"say": "failed", "why": str(error)})
        return
    commands: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, commands, backend), daemon=True).start()
    _say(connection, {"say": "up", "cpus": backend.cpus})
    with contextlib.suppress(RayDied, BrokenPipeError):
        _serve(connection, commands, backend)
    # Whatever is left to be tidied up: an end is an end.
    threading.Timer(LONGEST_FAREWELL_S, _end_now).start()
    backend.close()
    _end_now()


def _serve(connection: Connection, commands: queue.SimpleQueue[dict[str, Any] | None], backend: RayBackend) -> None:
    told_at = counted_at = time.monotonic()
    while True:
        while not commands.empty():
            command = commands.get()
            if command is None:
                return
            _obey(command, backend)
        for outcome in backend.poll(ALIVE_S):
            _say(connection, {"say": "outcome", "outcome": outcome.model_dump(mode="json")})
        if time.monotonic() - told_at >= ALIVE_S:
            told_at = time.monotonic()
            _say(connection, {"say": "alive"})
        if not backend.is_private and time.monotonic() - counted_at >= 5 * ALIVE_S:
            counted_at = time.monotonic()
            _say(connection, {"say": "up", "cpus": backend.cpus})  # a cluster grows and shrinks


def _obey(command: dict[str, Any], backend: RayBackend) -> None:
    match command["do"]:
        case "submit":
            backend.submit(Job.model_validate_json(command["job"]))
        case "cancel":
            backend.cancel(command["key"])
        case "limit":
            backend.limit(command["cpus"])


def _listen(connection: Connection, commands: queue.SimpleQueue[dict[str, Any] | None], backend: RayBackend) -> None:
    try:
        while True:
            commands.put(json.loads(connection.recv_bytes()))
            backend.wake()
    except (EOFError, OSError):
        commands.put(None)
        backend.wake()
        time.sleep(LONGEST_FAREWELL_S)
        _end_now()


def _say(connection: Connection, what: dict[str, Any]) -> None:
    connection.send_bytes(json.dumps(what).encode())


def _end_now() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
