"""Workers on Ray, held at arm's length: Ray runs in a process of its own, which is replaced when it dies or hangs."""

from __future__ import annotations

import contextlib
import json
import logging
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import psutil

from nas.domain.job import Job, Outcome
from nas.errors import TransientError
from nas.ports import Workspace
from workers.executor import Execute, estimate
from workers.pool import WorkersLost
from workers.ray_host import LONGEST_FAREWELL_S, host

log = logging.getLogger(__name__)

MOST_SILENCE = 20
"""Seconds without a word after which Ray's process is taken for hung. Counted one by one: a coordinator that
was itself stopped for an hour has noticed a single second."""
LONGEST_START_S = 120.0
LONGEST_JOIN_S = 40.0
"""Joining waits for others, and may wait for one that was alive a moment ago: better to ask again."""
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 10.0

State = Literal["starting", "ready", "lost"]


class RayProcess:
    """`Workers` on a private Ray or on a cluster.

    Keeps trying for as long as it is not closed: a cluster may come back, a machine may get memory again.

    Args:
        workspace: What workers may touch; on a cluster it must lie where all machines see it.
        address: A running cluster; empty starts a private Ray on this machine.
        cpus: Cores of the private Ray; None takes all.
        execute: What a worker does with a job; must be importable there.
        logs: Folder of the workers' log files; None writes none.
        prepare: Called first in Ray's process, for instance to set up logging.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        address: str = "",
        cpus: int | None = None,
        execute: Execute = estimate,
        logs: Path | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self._arguments = (workspace, execute, address, cpus, logs, prepare)
        self._is_joining = bool(address)
        self._news: queue.SimpleQueue[Outcome | WorkersLost | None] = queue.SimpleQueue()
        self._loss: WorkersLost | None = None
        self._sending = threading.Lock()
        self._connection: Connection | None = None
        self._limit: float | None = None
        self._slots = 0.0
        self._has_spoken = threading.Event()
        self._came_up = threading.Event()
        self._is_closed = threading.Event()
        self._failure = ""
        self.state: State = "starting"
        self._keeper = threading.Thread(target=self._keep, name="ray", daemon=True)
        self._keeper.start()

    @property
    def slots(self) -> float:
        """CPUs there are; 0 while Ray is not up."""
        return self._slots

    def require_up(self, patience_s: float = 3 * LONGEST_START_S) -> None:
        """Wait for Ray to come up for the first time.

        Raises:
            TransientError: If it cannot be started or reached.
        """
        until = time.monotonic() + patience_s
        while not self._came_up.wait(0.1):
            if self._failure or time.monotonic() > until:
                raise TransientError(
                    self._failure or "Ray does not come up on this machine.", "See blocksmith doctor."
                )

    def submit(self, job: Job) -> None:
        """Start a job; while Ray is away it counts as lost with it."""
        self._tell({"do": "submit", "job": job.model_dump_json()})

    def poll(self, timeout_s: float) -> list[Outcome]:
        """Outcomes that arrived, or nothing; waits for the first news.

        Raises:
            WorkersLost: Once for every loss.
        """
        if self._loss is not None:
            loss, self._loss = self._loss, None
            raise loss
        outcomes: list[Outcome] = []
        with contextlib.suppress(queue.Empty):
            news = self._news.get(timeout=timeout_s)
            while not isinstance(news, WorkersLost):
                outcomes += [] if news is None else [news]
                news = self._news.get_nowait()
            self._loss = news  # what was told before it comes first
        return outcomes

    def cancel(self, key: str) -> None:
        """Stop a job."""
        self._tell({"do": "cancel", "key": key})

    def limit(self, cpus: float) -> None:
        """Keep idle workers only within so many CPUs."""
        self._limit = cpus
        self._tell({"do": "limit", "cpus": cpus})

    def close(self) -> None:
        """Stop Ray, and everything on it."""
        self._is_closed.set()
        with self._sending:
            if self._connection is not None:
                self._connection.close()
        self._keeper.join(timeout=30.0)

    def _tell(self, command: dict[str, Any]) -> None:
        with self._sending, contextlib.suppress(OSError):  # the keeper notices and tells of the loss
            if self._connection is not None:
                self._connection.send_bytes(json.dumps(command).encode())

    def _keep(self) -> None:
        """Have Ray's process run, from one life to the next."""
        failures = 0
        while not self._is_closed.is_set():
            self._came_up.clear()
            self._live()
            failures = 0 if self._came_up.is_set() else failures + 1
            if not self._is_closed.is_set():
                self.state = "lost"
                self._news.put(WorkersLost(self._failure or "Ray died.", "It is started anew."))
                self._is_closed.wait(min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(failures, 10)))

    def _live(self) -> None:
        """One life of Ray's process."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=host, args=(theirs, *self._arguments), name="ray-host", daemon=True)
        process.start()
        theirs.close()
        listener = threading.Thread(target=self._listen, args=(ours,), daemon=True)
        listener.start()
        with self._sending:
            self._connection = ours
        try:
            self._watch(listener)
        finally:
            with self._sending:
                self._connection = None
                self._slots = 0.0
                ours.close()
            _bury(process, listener.is_alive())

    def _watch(self, listener: threading.Thread) -> None:
        """Return when the process has ended or hangs, or is to end."""
        silent_s = 0
        while listener.is_alive() and not self._is_closed.is_set():
            silent_s = 0 if self._has_spoken.wait(1.0) else silent_s + 1
            self._has_spoken.clear()
            if silent_s > self._longest_silence_s():
                self._failure = "Ray's process does not answer."
                log.warning("%s It is replaced.", self._failure)
                return
            if silent_s == 0:
                self._is_closed.wait(0.2)

    def _longest_silence_s(self) -> float:
        if self._came_up.is_set():
            return MOST_SILENCE
        return LONGEST_JOIN_S if self._is_joining else LONGEST_START_S

    def _listen(self, connection: Connection) -> None:
        with contextlib.suppress(EOFError, OSError, TypeError):  # the last when it is closed meanwhile
            while True:
                self._hear(json.loads(connection.recv_bytes()))
        self._has_spoken.set()  # the last word

    def _hear(self, said: dict[str, Any]) -> None:
        self._has_spoken.set()
        match said["say"]:
            case "up":
                self._slots, self._failure, self.state = said["cpus"], "", "ready"
                if not self._came_up.is_set():
                    self._came_up.set()
                    if self._limit is not None:
                        self.limit(self._limit)
                self._news.put(None)
            case "failed":
                self._failure = said["why"]
                log.warning("Ray did not come up: %s", self._failure)
            case "outcome":
                self._news.put(Outcome.model_validate_json(json.dumps(said["outcome"])))


def _bury(process: Any, is_at_once: bool) -> None:
    """End a process and whatever it started: all of it is in the session that the process began."""
    session = process.pid
    if not is_at_once:
        process.join(timeout=LONGEST_FAREWELL_S)
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getsid(pid) == session:
                os.kill(pid, signal.SIGKILL)
    process.join(timeout=5.0)
