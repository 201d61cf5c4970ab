"""Programs that are killed, stopped and continued, and a supervisor that starts dead ones again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

SHORTEST_RESTART_S, LONGEST_RESTART_S = 0.3, 2.0
"""How long a dead program stays dead: what a container engine or systemd would take."""


class Program:
    """One process of the service and whatever it starts, in a session of its own.

    Args:
        log: File that gets both its outputs, appended across restarts.
        user: Account to run under; None keeps ours.
        contained: Whether nothing it started may outlive it, as in a container. Otherwise the service
            itself has to cope with what is left.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        user: str | None = None,
        contained: bool = False,
    ) -> None:
        self.name = name
        self.starts = 0
        self._command = list(command)
        self._environment = dict(environment)
        self._log = log
        self._user = user
        self._contained = contained
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id; 0 while it is dead."""
        return self._process.pid if self._process is not None and self.is_alive else 0

    @property
    def is_alive(self) -> bool:
        """Whether its first process lives (a stopped one does)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it."""
        if self._contained:
            self.clear_away()
        self.starts += 1
        with self._log.open("ab") as log:
            log.write(f"--- start {self.starts} of {self.name} at {time.time():.3f}\n".encode())
            log.flush()
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self._user,
            )

    def signal(self, number: int) -> None:
        """Send a signal to its first process alone."""
        if self.is_alive:
            os.kill(self.pid, number)

    def signal_all(self, number: int) -> None:
        """Send a signal to everything it started, itself first."""
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def family(self) -> list[psutil.Process]:
        """The process and all of its descendants."""
        with contextlib.suppress(psutil.NoSuchProcess):
            if self.is_alive:
                first = psutil.Process(self.pid)
                return [first, *first.children(recursive=True)]
        return []

    def clear_away(self) -> None:
        """Kill what a dead program left behind: everything of its session."""
        if self._process is None:
            return
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
                if os.getsid(process.pid) == self._process.pid:
                    process.kill()

    def end(self, grace_s: float) -> None:
        """Ask it to end; kill what is left after the grace."""
        family = self.family()
        self.signal_all(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=grace_s)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self._process is not None:
            self._process.wait(timeout=10)
        self.clear_away()


class Supervisor:
    """Starts dead programs again after a short random time, like a container engine.

    Args:
        draw: Where restart delays come from.
    """

    def __init__(self, programs: Sequence[Program], draw: random.Random) -> None:
        self._programs = list(programs)
        self._draw = draw
        self._due: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin to watch; the programs are started by whoever made them."""
        self._thread.start()

    def stop(self) -> None:
        """Let the dead lie."""
        self._stop.set()
        self._thread.join()

    @property
    def is_complete(self) -> bool:
        """Whether everything lives."""
        return all(program.is_alive for program in self._programs)

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            for program in self._programs:
                if program.is_alive:
                    self._due.pop(program.name, None)
                elif program.name not in self._due:
                    delay = self._draw.uniform(SHORTEST_RESTART_S, LONGEST_RESTART_S)
                    self._due[program.name] = time.monotonic() + delay
                elif time.monotonic() >= self._due[program.name]:
                    program.start()


def wait_until(condition: object, what: str, timeout_s: float) -> None:
    """Poll a condition.

    Raises:
        TimeoutError: If it does not become true in time.
    """
    assert callable(condition)
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s")
        time.sleep(0.1)
