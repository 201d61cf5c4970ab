"""One supervised process: started, started again when it dies, and stopped without leaving anything behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
PROVEN_S: Final = 30.0
"""After running this long, a process that dies is started again as if it had never died before."""

LOG_BYTES: Final = 20 * 1024**2
"""Beyond this a log is copied to `NAME.log.1` and begun anew: 40 MiB per process at most."""


class Child:
    """A process that `up` keeps alive.

    Args:
        name: What people call it, and the stem of its log.
        command: How it is started.
        environment: Its whole environment.
        log: Where its output goes.
        say: Told of every death.
        listening: File descriptors that it inherits.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        say: Callable[[str], None],
        listening: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = dict(environment)
        self._say = say
        self._listening = tuple(listening)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._start_at = 0.0

    def tend(self) -> None:
        """Start the process if it does not run and its pause is over; keep its log bounded."""
        now = time.monotonic()
        if self._process is not None and self._process.poll() is not None:
            self._bury(now)
        if self._process is None and now >= self._start_at:
            self._start(now)
        self._bound_log()

    def ask_to_stop(self) -> None:
        """SIGTERM: drain, then end."""
        self._signal(signal.SIGTERM)

    def end(self, patience_s: float, impatient: Callable[[], bool]) -> None:
        """Wait until the process has ended; kill it and whatever it started when patience runs out.

        Args:
            patience_s: Seconds to wait.
            impatient: Asked again and again; once true, the process is killed without waiting.
        """
        process, deadline = self._process, time.monotonic() + patience_s
        if process is None:
            return
        while process.poll() is None and time.monotonic() < deadline and not impatient():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        self._sweep(process)
        self._process = None

    def _start(self, now: float) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.PIPE,  # the lifeline: see `api.up.lifeline`
                stdout=log,
                stderr=log,
                pass_fds=self._listening,
                start_new_session=True,  # Ctrl-C in the terminal is for the supervisor alone
            )
        self._started = now

    def _bury(self, now: float) -> None:
        process = self._process
        assert process is not None
        self._sweep(process)
        if now - self._started > PROVEN_S:
            self._pause_s = FIRST_PAUSE_S
        self._say(f"{self.name} {_how_it_ended(process.returncode)}; starting it again in {self._pause_s:g} s.")
        self._start_at = now + self._pause_s
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        self._process = None

    def _sweep(self, process: subprocess.Popen[bytes]) -> None:
        """Kill what is left of the process's session, and close our end of the lifeline."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _bound_log(self) -> None:
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > LOG_BYTES:
                # The process appends to the file it has open: copied and emptied, not renamed.
                shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
                os.truncate(self.log, 0)


def _how_it_ended(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
