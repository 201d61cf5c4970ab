"""Starts `up` in the background, and stops it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from api.up.record import ServerRecord, is_alive, running_server
from api.up.service import LOGS
from api.up.supervisor import GRACE_S, START_PATIENCE_S, last_lines
from nas.errors import TransientError

_LOG: Final = "up.log"
_TICK_S: Final = 0.1


def start_detached(data: Path, arguments: Sequence[str]) -> ServerRecord:
    """Start `blocksmith up` in a session of its own; returns when its page answers.

    It keeps none of the caller's pipes and no terminal, so a script or CI job that waits for this command
    does not wait for the service.

    Args:
        data: The data directory.
        arguments: Further arguments of `up`.

    Raises:
        TransientError: If it ended or did not come up; the end of its log says why.
    """
    log = data / LOGS / _LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    begun = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", "up", "--data", str(data), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_PATIENCE_S + GRACE_S
    while process.poll() is None and time.monotonic() < deadline:
        record = running_server(data)
        if record is not None and record.pid == process.pid:
            return record
        time.sleep(_TICK_S)
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    raise TransientError("The service did not come up.", _said_since(log, begun))


def stop_detached(record: ServerRecord, drain_s: float) -> None:
    """Ask a running service to stop; returns when it has.

    Raises:
        TransientError: If it runs on after its drain.
    """
    with contextlib.suppress(ProcessLookupError):
        os.kill(record.pid, signal.SIGTERM)
    deadline = time.monotonic() + drain_s + 3 * GRACE_S
    while is_alive(record):
        if time.monotonic() > deadline:
            raise TransientError(
                f"Process {record.pid} does not stop.", f"Kill it: kill -9 {record.pid}. No finished work is lost."
            )
        time.sleep(_TICK_S)


def _said_since(log: Path, begun: int) -> str:
    with contextlib.suppress(OSError):
        return log.read_bytes()[begun:].decode("utf-8", "replace").strip() or f"See {log}."
    return last_lines(log)
