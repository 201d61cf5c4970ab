"""Who serves a data directory: `server.json`, believed only while its process lives."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from nas.domain.value import Value

FILE = "server.json"
_SAME_START_S = 2.0  # start times are reckoned from the boot time, which clock corrections move a little


class ServerRecord(Value):
    """A running `blocksmith up`.

    Attributes:
        url: Where its API listens, without a trailing slash.
        pid: The supervising process.
        started_at: When that process started, Unix seconds. Process ids are used again; a pair is not.
    """

    url: str
    pid: int
    started_at: float


def write_record(data: Path, url: str) -> ServerRecord:
    """Say that this process serves the data directory."""
    record = ServerRecord(url=url, pid=os.getpid(), started_at=_started_at(os.getpid()) or 0.0)
    scratch = data / f".{FILE}.{os.getpid()}"
    scratch.write_text(record.model_dump_json() + "\n", encoding="utf-8")
    scratch.replace(data / FILE)
    return record


def read_record(data: Path) -> ServerRecord | None:
    """What the file says, whether or not it still holds; None without a readable file."""
    try:
        return ServerRecord.model_validate_json((data / FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def running_server(data: Path) -> ServerRecord | None:
    """The server of a data directory, or None: also when its process was killed and the file is all that is left."""
    record = read_record(data)
    return record if record is not None and is_alive(record) else None


def is_alive(record: ServerRecord) -> bool:
    """Whether the recorded process still runs, and is not another one that got its id."""
    started_at = _started_at(record.pid)
    return started_at is not None and abs(started_at - record.started_at) < _SAME_START_S


def erase_record(data: Path) -> None:
    """Forget this process's own record; another's is left alone."""
    record = read_record(data)
    if record is not None and record.pid == os.getpid():
        (data / FILE).unlink(missing_ok=True)


def _started_at(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None
