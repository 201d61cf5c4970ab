"""A process at arm's length: it may die or hang without harm to its owner, and is replaced.

Owner and child speak JSON over a pipe. A child says `alive` (or anything else) at least once a second,
`up` when it can work, `failed` with `why` when it cannot. When the pipe ends, it ends.
"""

from __future__ import annotations

import contextlib
import json
import logging
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import psutil

log = logging.getLogger(__name__)

ALIVE_S = 1.0
"""Longest silence of a child in good health."""
LONGEST_FAREWELL_S = 10.0
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 10.0


class ChildProcess:
    """One process after the other, from `start` to `close`.

    Keeps trying for as long as it is not closed: a machine may get memory again, a cluster may come back.
    Thread-safe; `hear` and `lost` are called by threads of its own and must return soon.

    Args:
        name: What it is called in lines of the log, for instance `Ray's process`.
        target: Runs in the process, with its end of the pipe and `arguments`; must be importable there.
        hear: Called with everything the process says but `alive` and `failed`.
        lost: Called after every end that nobody asked for, with the reason.
        silence_s: Seconds without a word after which the process is taken for hung. Counted one by one:
            an owner that was itself stopped for an hour has noticed a single second.
        trouble: Asked once a second; a sentence ends this life, an empty string does not.
        farewell_s: How long it may take to end by itself once the pipe has ended.

    Attributes:
        is_up: Whether the process said that it can work.
        failure: Why the last one ended or did not come up, or an empty string.
    """

    def __init__(
        self,
        name: str,
        target: Callable[..., None],
        arguments: tuple[Any, ...],
        *,
        hear: Callable[[dict[str, Any]], None],
        lost: Callable[[str], None],
        silence_s: Callable[[], float],
        trouble: Callable[[], str] = str,
        farewell_s: float = LONGEST_FAREWELL_S,
    ) -> None:
        self._name, self._target, self._arguments = name, target, arguments
        self._tell_owner, self._tell_loss = hear, lost
        self._silence_s, self._trouble, self._farewell_s = silence_s, trouble, farewell_s
        self.is_up = threading.Event()
        self.failure = ""
        self.pid: int | None = None
        self._lock = threading.Lock()
        self._outbox: queue.SimpleQueue[bytes | None] | None = None
        self._has_spoken = threading.Event()
        self._is_outdated = threading.Event()
        self._is_closed = threading.Event()
        self._keeper: threading.Thread | None = None

    def start(self) -> None:
        """Have a process from now on; a second call changes nothing."""
        with self._lock:
            if self._keeper is None and not self._is_closed.is_set():
                self._keeper = threading.Thread(target=self._keep, name=self._name, daemon=True)
                self._keeper.start()

    def tell(self, command: dict[str, Any]) -> None:
        """Send a command without waiting; while there is no process it is lost."""
        with self._lock:
            if self._outbox is not None:
                self._outbox.put(json.dumps(command).encode())

    def replace(self) -> None:
        """Let another process take over: this one has had its time."""
        self.is_up.clear()
        self._is_outdated.set()
        self._has_spoken.set()

    def close(self, patience_s: float = 30.0) -> None:
        """End the process, and everything it started."""
        self._is_closed.set()
        self._has_spoken.set()
        if self._keeper is not None:
            self._keeper.join(timeout=patience_s)

    def _keep(self) -> None:
        """Have the process run, from one life to the next."""
        failures = 0
        while not self._is_closed.is_set():
            came_up = self._live()
            failures = 0 if came_up else failures + 1
            if self._is_closed.is_set():
                return
            if not self._is_outdated.is_set():
                self._tell_loss(self.failure or f"{self._name} died.")
                self._is_closed.wait(min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(failures, 10)))

    def _live(self) -> bool:
        """One life of the process; whether it ever came up."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=self._target, args=(theirs, *self._arguments), name=self._name, daemon=True)
        for flag in (self.is_up, self._is_outdated, self._has_spoken):
            flag.clear()
        process.start()
        theirs.close()
        self.pid = process.pid
        outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        life = Life(ours, outbox, self._hear)
        with self._lock:
            self._outbox = outbox
        try:
            self._watch(life)
        finally:
            self.is_up.clear()
            self.pid = None
            with self._lock:
                self._outbox = None
            is_unwanted = life.listener.is_alive() and not self._is_closed.is_set()
            life.end()
            _bury(process, 0.0 if is_unwanted else self._farewell_s)
        return life.came_up

    def _watch(self, life: Life) -> None:
        """Return when the process has ended or hangs, or is to end."""
        silent_s = 0
        while life.listener.is_alive() and not self._is_closed.is_set() and not self._is_outdated.is_set():
            silent_s = 0 if self._has_spoken.wait(1.0) else silent_s + 1
            self._has_spoken.clear()
            trouble = self._trouble()
            if silent_s > self._silence_s():
                trouble = f"{self._name} does not answer."
            if trouble:
                self.failure = trouble
                log.warning("%s It is replaced.", trouble)
                return
            if silent_s == 0:
                self._is_closed.wait(0.2)

    def _hear(self, life: Life, said: dict[str, Any]) -> None:
        if said["say"] == "failed":
            self.failure = said["why"]
            log.warning("%s did not come up: %s", self._name, self.failure)
        elif said["say"] == "up":
            self.failure, life.came_up = "", True
            self.is_up.set()
            self._tell_owner(said)
        elif said["say"] != "alive":
            self._tell_owner(said)
        self._has_spoken.set()


class Life:
    """The owner's end of the pipe of one process, and the two threads at it.

    Attributes:
        listener: Ends with the process.
        came_up: Whether the process could ever work.
    """

    def __init__(
        self,
        connection: Connection,
        outbox: queue.SimpleQueue[bytes | None],
        hear: Callable[[Life, dict[str, Any]], None],
    ) -> None:
        self.came_up = False
        self._connection, self._outbox, self._hear = connection, outbox, hear
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        threading.Thread(target=self._send, daemon=True).start()

    def end(self) -> None:
        """Close the pipe."""
        self._outbox.put(None)
        self._connection.close()

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError, TypeError):  # the last when it is closed meanwhile
            while True:
                self._hear(self, json.loads(self._connection.recv_bytes()))

    def _send(self) -> None:
        """A pipe may be full while the process thinks: that must hold nobody up but this thread."""
        with contextlib.suppress(OSError, TypeError):
            while (message := self._outbox.get()) is not None:
                self._connection.send_bytes(message)


class OwnerLine:
    """The child's end of the pipe. `say` may be called by any thread.

    Args:
        connection: To the owner.
        wake: Called after every command that arrived.
    """

    def __init__(self, connection: Connection, wake: Callable[[], None] = lambda: None) -> None:
        os.setsid()  # Ctrl-C in a terminal is for the owner, which lets its work finish
        self._connection = connection
        self._saying = threading.Lock()
        self.wake = wake
        self.commands: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        """What is to be done; None when the owner is gone."""

    def listen(self) -> None:
        """Begin to take commands; ends the process some seconds after the pipe has ended, whatever it does."""
        threading.Thread(target=self._listen, daemon=True).start()

    def say(self, what: str, **more: Any) -> None:
        """Tell the owner.

        Raises:
            OSError: If it is gone.
        """
        with self._saying:
            self._connection.send_bytes(json.dumps({"say": what, **more}).encode())

    def _listen(self) -> None:
        try:
            while True:
                self.commands.put(json.loads(self._connection.recv_bytes()))
                self.wake()
        except (EOFError, OSError):
            self.commands.put(None)
            self.wake()
            threading.Event().wait(LONGEST_FAREWELL_S)
            end_now()


def end_now() -> None:
    """End this process without tidying up: an end is an end."""
    os.kill(os.getpid(), signal.SIGKILL)


def _bury(process: Any, farewell_s: float) -> None:
    """End a process and whatever it started: all of it is in the session that the process began."""
    session = process.pid
    process.join(timeout=farewell_s)
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getsid(pid) == session:
                os.kill(pid, signal.SIGKILL)
    if process.is_alive():  # it had not yet begun its session
        process.kill()
    process.join(timeout=5.0)
