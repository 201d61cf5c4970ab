"""Log files of workers: one JSON object per line, one file per process, and the part that belongs to a job."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

import structlog
from structlog.typing import Processor

from nas.domain.job import LONGEST_LOG

FILE_BYTES = 8 * 2**20
FILES_PER_WORKER = 3
MOST_FILES = 2000
"""Files of dead workers beyond this number are removed, oldest first."""

_LINES: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def write_worker_log(folder: Path) -> None:
    """Send the logs of this process to `worker-PID.log` in a folder; each line is on disk before work goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    _remove_oldest(folder)
    handler = RotatingFileHandler(
        folder / f"worker-{os.getpid()}.log", maxBytes=FILE_BYTES, backupCount=FILES_PER_WORKER - 1, encoding="utf-8"
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_LINES,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)


class JobLog(logging.Handler):
    """Keeps the last that one thread logged, as lines for people."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._thread = threading.get_ident()
        self._lines: deque[str] = deque()
        self._size = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, and forget the oldest ones beyond the limit."""
        if record.thread != self._thread:
            return
        line = self.format(record)[-LONGEST_LOG // 2 :] + "\n"
        self._lines.append(line)
        self._size += len(line)
        while self._size > LONGEST_LOG:
            self._size -= len(self._lines.popleft())

    @property
    def text(self) -> str:
        """What was kept, at most `LONGEST_LOG` characters."""
        return "".join(self._lines)


@contextmanager
def job_log() -> Iterator[JobLog]:
    """Collect what this thread logs while the block lasts."""
    kept = JobLog()
    root = logging.getLogger()
    root.addHandler(kept)
    try:
        yield kept
    finally:
        root.removeHandler(kept)


def _remove_oldest(folder: Path) -> None:
    files = sorted(folder.glob("worker-*.log*"), key=lambda file: file.stat().st_mtime)
    for file in files[:-MOST_FILES]:
        file.unlink(missing_ok=True)
