"""Workers on Ray, held at arm's length: Ray runs in a process of its own, which is replaced when it dies or hangs."""

from __future__ import annotations

import contextlib
import json
import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from nas.domain.device_state import DeviceState
from nas.domain.job import Job, Outcome
from nas.errors import TransientError
from nas.ports import Workspace
from workers.child_process import ChildProcess
from workers.executor import Execute, estimate
from workers.ray_host import host
from workers.workforce import WorkersLost

MOST_SILENCE = 20
"""Seconds without a word after which Ray's process is taken for hung."""
LONGEST_START_S = 120.0
LONGEST_JOIN_S = 40.0
"""Joining waits for others, and may wait for one that was alive a moment ago: better to ask again."""

State = Literal["starting", "ready", "lost"]


class RayProcess:
    """`Workers` on a private Ray or on a cluster.

    Keeps trying for as long as it is not closed: a cluster may come back, a machine may get memory again.

    Attributes:
        devices: How the devices stand that it sees.

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
        self._is_joining = bool(address)
        self._news: queue.SimpleQueue[Outcome | WorkersLost | None] = queue.SimpleQueue()
        self._loss: WorkersLost | None = None
        self._limit: float | None = None
        self._slots = 0.0
        self.state: State = "starting"
        self.devices: tuple[DeviceState, ...] = ()
        self._waiting: frozenset[str] = frozenset()
        self._process = ChildProcess(
            "Ray's process",
            host,
            (workspace, execute, address, cpus, logs, prepare),
            hear=self._hear,
            lost=self._lose,
            silence_s=self._longest_silence_s,
        )
        self._process.start()

    @property
    def slots(self) -> float:
        """CPUs there are; 0 while Ray is not up."""
        return self._slots if self._process.is_up.is_set() else 0.0

    def require_up(self, patience_s: float = 3 * LONGEST_START_S) -> None:
        """Wait for Ray to come up for the first time.

        Raises:
            TransientError: If it cannot be started or reached.
        """
        until = time.monotonic() + patience_s
        while not self._process.is_up.wait(0.1):
            failure = self._process.failure
            if failure or time.monotonic() > until:
                raise TransientError(failure or "Ray does not come up on this machine.", "See blocksmith doctor.")

    def submit(self, job: Job) -> None:
        """Start a job; while Ray is away it counts as lost with it."""
        self._process.tell({"do": "submit", "job": job.model_dump_json()})

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
        self._process.tell({"do": "cancel", "key": key})

    def limit(self, cpus: float) -> None:
        """Keep idle workers only within so many CPUs."""
        self._limit = cpus
        self._process.tell({"do": "limit", "cpus": cpus})

    def cpus_of(self, job: Job) -> float:
        """CPUs of `slots` that a job takes: none while another machine has its device, or nobody."""
        state = next((one for one in self.devices if one.name == job.device), None)
        return job.resources.cpus if state is None or state.is_in_pool else 0.0

    def waits(self, key: str) -> bool:
        """Whether a job waited for its device a moment ago."""
        return key in self._waiting

    def close(self) -> None:
        """Stop Ray, and everything on it."""
        self._process.close()

    def _lose(self, why: str) -> None:
        self.state = "lost"
        self.devices = tuple(one.absent("The workers are away.", time.time()) for one in self.devices)
        self._news.put(WorkersLost(why, "It is started anew."))

    def _longest_silence_s(self) -> float:
        if self._process.is_up.is_set():
            return MOST_SILENCE
        return LONGEST_JOIN_S if self._is_joining else LONGEST_START_S

    def _hear(self, said: dict[str, Any]) -> None:
        match said["say"]:
            case "up":
                self._slots, self.state = said["cpus"], "ready"
                if self._limit is not None:
                    self.limit(self._limit)
                self._news.put(None)
            case "devices":
                self.devices = tuple(DeviceState.model_validate_json(json.dumps(one)) for one in said["devices"])
                self._waiting = frozenset(said["waiting"])
            case "outcome":
                self._news.put(Outcome.model_validate_json(json.dumps(said["outcome"])))
