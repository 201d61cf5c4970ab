"""How each kind of fault is done, and undone."""

from __future__ import annotations

import contextlib
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import psutil

from tests.chaos.programs import Program
from tests.chaos.relay import Mood, Relay
from tests.chaos.schedule import Fault
from tests.chaos.service import Service

T = TypeVar("T")
Undo = Callable[[], None]


class Injector:
    """Applies faults to a running service.

    Attributes:
        applied: How many faults of each kind found something to hit.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self.applied: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()

    def begin(self, fault: Fault) -> Undo:
        """Make it happen; returns what ends it."""
        verb, _, target = fault.kind.partition(" ")
        act = {"kill": self._kill, "stop": self._stop, "fill": self._fill}.get(verb, self._disturb)
        undo = act(fault, target)
        (self.missed if undo is None else self.applied)[fault.kind] += 1
        return undo or _nothing

    def _kill(self, fault: Fault, target: str) -> Undo | None:
        program = self._program(target, fault.which)
        if program is not None:
            if target in ("head", "database"):  # as when the machine under it is gone
                program.signal_all(signal.SIGKILL)
            else:
                program.signal(signal.SIGKILL)
            return _nothing
        return _nothing if self._send(self._processes(target, fault.which), signal.SIGKILL) else None

    def _stop(self, fault: Fault, target: str) -> Undo | None:
        program = self._program(target, fault.which)
        processes = program.family() if program is not None else self._processes(target, fault.which)
        if not self._send(processes, signal.SIGSTOP):
            return None
        return lambda: self._continue(processes)

    def _fill(self, fault: Fault, target: str) -> Undo | None:
        self._service.disk.fill()
        return self._service.disk.free

    def _disturb(self, fault: Fault, target: str) -> Undo | None:
        verb: Mood = fault.kind.partition(" ")[0]
        relays = self._service.messages if target == "messages" else [self._service.rows]
        relay = relays[fault.which % len(relays)]
        if relay is None:
            return None
        relay.mood = verb
        return lambda: _calm(relay)

    def _program(self, target: str, which: int) -> Program | None:
        service = self._service
        match target:
            case "coordinator":
                return _pick(service.coordinators, which)
            case "api":
                return _pick(service.apis, which)
            case "head":
                return service.ray.head
            case "database":
                return service.postgresql.program if service.postgresql else None
        return None

    def _processes(self, target: str, which: int) -> list[psutil.Process]:
        ray = self._service.ray
        match target:
            case "worker":
                workers = ray.workers
                return [_pick(workers, which)] if workers else []
            case "node":
                return ray.raylet(ray.node)
            case "control plane":
                return ray.control_plane
        raise ValueError(f"Nothing is called {target!r}.")

    def _send(self, processes: Sequence[psutil.Process], number: int) -> bool:
        hit = False
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
                hit = True
        return hit

    def _continue(self, processes: Sequence[psutil.Process]) -> None:
        self._send(processes, signal.SIGCONT)


def _pick(among: Sequence[T], which: int) -> T:
    return among[which % len(among)]


def _calm(relay: Relay) -> None:
    relay.mood = "faithful"


def _nothing() -> None:
    return None
