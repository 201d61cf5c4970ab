"""The process in which Ray lives, apart from the coordinator: it may die or hang without harm to anything else.

Speaks JSON over a pipe. It is told `submit`, `cancel` and `limit`; it says `up`, `failed`, `alive`, `devices` and
`outcome`. When the pipe ends, it ends.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from nas.domain.device_state import DeviceState
from nas.domain.job import Job
from nas.errors import NasError
from nas.ports import Workspace
from workers.child_process import ALIVE_S, LONGEST_FAREWELL_S, OwnerLine, end_now
from workers.executor import Execute
from workers.ray_backend import RayBackend, RayDied


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
    line = OwnerLine(connection)
    if prepare is not None:
        prepare()
    try:
        backend = RayBackend(workspace, address=address, cpus=cpus, execute=execute, logs=logs)
    except NasError as error:
        line.say("failed", why=str(error))
        return
    line.wake = backend.wake
    line.listen()
    with contextlib.suppress(RayDied, BrokenPipeError):
        line.say("up", cpus=backend.cpus)
        _serve(line, backend)
    # Whatever is left to be tidied up: an end is an end.
    threading.Timer(LONGEST_FAREWELL_S, end_now).start()
    backend.close()
    end_now()


def _serve(line: OwnerLine, backend: RayBackend) -> None:
    told_at = counted_at = time.monotonic()
    told: tuple[tuple[DeviceState, ...], list[str]] = ((), [])
    while True:
        while not line.commands.empty():
            command = line.commands.get()
            if command is None:
                return
            _obey(command, backend)
        for outcome in backend.poll(ALIVE_S):
            line.say("outcome", outcome=outcome.model_dump(mode="json"))
        if time.monotonic() - told_at >= ALIVE_S:
            told_at = time.monotonic()
            line.say("alive")
            if (news := (backend.device_states(), backend.waiting_for_devices())) != told:
                told = news
                line.say("devices", devices=[state.model_dump(mode="json") for state in news[0]], waiting=news[1])
        if not backend.is_private and time.monotonic() - counted_at >= 5 * ALIVE_S:
            counted_at = time.monotonic()
            line.say("up", cpus=backend.cpus)  # a cluster grows and shrinks


def _obey(command: dict[str, Any], backend: RayBackend) -> None:
    match command["do"]:
        case "submit":
            backend.submit(Job.model_validate_json(command["job"]))
        case "cancel":
            backend.cancel(command["key"])
        case "limit":
            backend.limit(command["cpus"])
