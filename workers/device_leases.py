"""Carries out what the desk of devices decides: on the nodes of device workers, or in the pool of this machine."""

from __future__ import annotations

import logging
import math
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nas.domain.device_state import DeviceState
from nas.domain.job import Failure, Job, Outcome
from workers.device_desk import DeviceDesk
from workers.device_lease import Lease
from workers.device_node import offers_of, resource_of
from workers.device_stand import HERE
from workers.faults import failure_of

log = logging.getLogger(__name__)

LOOK_S = 2.0
"""How often the nodes of a cluster are looked at."""
IDLE_S = 2.0
"""How long a device is kept without a job: the next one may come at once, and a warm worker is worth seconds."""
LONGEST_HOLD_S = 30.0
"""How long a device is kept in all while jobs follow each other: other coordinators want it, too."""


@dataclass
class DeviceSeat:
    """A worker process that holds a device of a node, or waits for one.

    Attributes:
        lease: Its job; None while it idles.
        step: What its next answer is about: the node it is on, whether it has the device's lock, or an outcome.
        awaited: Reference to that answer; None while it idles.
        node: Where it is.
        held_since: Monotonic time since which it holds the device.
        idle_since: Monotonic time of its last answer.
    """

    actor: Any
    device: str
    lease: Lease | None
    step: str = "node"
    awaited: Any = None
    node: str = ""
    held_since: float = math.inf
    idle_since: float = math.inf


class DeviceLeases:
    """Leases of one coordinator. One thread uses it.

    Args:
        ray: The module, joined.
        hire: Makes a worker process with given Ray options.
        expect: Has the owner told when a reference is ready.
        run_here: Runs a job in the pool of this machine; its steps are reported to `began_here` and `settle_here`.
        is_private: Whether there are no nodes but this machine.
        here: Registered devices, with the reason why this machine cannot measure them.
    """

    def __init__(
        self,
        ray: Any,
        hire: Callable[[dict[str, Any]], Any],
        expect: Callable[[Any, Any], Any],
        run_here: Callable[[Job], None],
        *,
        is_private: bool,
        here: Callable[[], Mapping[str, str]],
    ) -> None:
        self._ray, self._hire, self._expect, self._run_here = ray, hire, expect, run_here
        self._is_private = is_private
        self._desk = DeviceDesk(here)
        self._seats: list[DeviceSeat] = []
        self._in_pool: dict[str, Lease] = {}
        self._looked_at = -math.inf
        self._boot = time.time() - time.monotonic()

    def __contains__(self, key: object) -> bool:
        return key in self._desk

    def submit(self, job: Job) -> None:
        """Have a job wait for its device."""
        self._desk.submit(job, time.monotonic())

    def step(self) -> tuple[list[Outcome], list[str]]:
        """Go on as far as possible; returns outcomes, and keys of jobs in the pool that are to be stopped."""
        now = time.monotonic()
        ended = self._look(now) + self._desk.overdue(now)
        stopped = [lease.job.key for lease in ended if self._in_pool.pop(lease.job.key, None) is not None]
        for lease in ended:
            self._drop(lease)
        for seat in self._seats[:]:  # before the next job takes it, or others would never have the device
            if seat.lease is None and (now - seat.idle_since > IDLE_S or now - seat.held_since > LONGEST_HOLD_S):
                self._dismiss(seat)
        for lease in self._desk.start(now):
            self._begin(lease)
        return self._desk.outcomes(), stopped

    def due_in_s(self) -> float:
        """Seconds after which `step` should be called again, if nothing happens before."""
        now = time.monotonic()
        idle = (seat.idle_since + IDLE_S for seat in self._seats)
        look = math.inf if self._is_private else self._looked_at + LOOK_S
        return max(0.0, min([self._desk.due_at(now), look, *idle]) - now)

    def states(self) -> tuple[DeviceState, ...]:
        """How the devices stand, in Unix time."""
        told = self._desk.states(time.monotonic())
        host = f"{socket.gethostname()}: the coordinator's pool"
        return tuple(
            state.evolve(since=state.since + self._boot, worker=host if state.is_in_pool else state.worker)
            for state in told
        )

    def receive(self, seat: DeviceSeat, reference: Any) -> None:
        """Take the answer of a worker that holds a device, or waited for one."""
        if seat not in self._seats or reference is not seat.awaited or seat.lease is None:
            return
        now, lease = time.monotonic(), seat.lease
        try:
            answer = self._ray.get(reference)
        except Exception as error:
            log.warning("A worker of device %s was lost: %s", seat.device, error)
            self._dismiss(seat)
            self._desk.lost(lease.number, failure_of(error))
            return
        if seat.step == "node":
            seat.node, seat.held_since = answer, now
        if seat.step == "outcome":
            seat.lease, seat.awaited, seat.idle_since = None, None, now
            self._desk.answer(lease.number, read_outcome(lease, answer), now)
        elif seat.step == "lock" and answer:
            self._run(seat, lease, now)
        else:
            self._ask(seat, "lock", seat.actor.claim.remote(seat.device))

    def began_here(self, key: str) -> bool:
        """Note that a job of the pool has its device; False when it may not have it any more."""
        lease = self._in_pool.get(key)
        return lease is not None and self._desk.began(lease.number, HERE, time.monotonic())

    def settle_here(self, key: str, outcome: Outcome) -> None:
        """Take the outcome of a job in the pool."""
        if (lease := self._in_pool.pop(key, None)) is not None:
            self._desk.answer(lease.number, outcome, time.monotonic())

    def lose_here(self, key: str, failure: Failure) -> None:
        """Take note that the worker of a job in the pool is gone."""
        if (lease := self._in_pool.pop(key, None)) is not None:
            self._desk.lost(lease.number, failure)

    def cancel(self, key: str) -> None:
        """Forget a job, and end the worker that has it; what runs in the pool is for the owner to stop."""
        self._in_pool.pop(key, None)
        lease = self._desk.cancel(key)
        if lease is not None:
            self._drop(lease)

    def waiting(self) -> list[str]:
        """Keys of the jobs that have no device yet."""
        return self._desk.waiting()

    def withdraw(self) -> list[str]:
        """Take back every job that waits for its device."""
        return self._desk.withdraw()

    def close(self) -> None:
        """End all workers."""
        for seat in self._seats[:]:
            self._dismiss(seat)

    def _look(self, now: float) -> list[Lease]:
        if self._is_private or now - self._looked_at < LOOK_S:
            return []
        self._looked_at = now
        return self._desk.see(offers_of(self._ray.nodes()))

    def _begin(self, lease: Lease) -> None:
        if lease.is_here:
            self._in_pool[lease.job.key] = lease
            self._run_here(lease.job)
            return
        device = lease.job.device
        idle = (one for one in self._seats if one.lease is None and one.node in lease.nodes and one.device == device)
        seat = next(idle, None)
        if seat is not None:
            seat.lease = lease
            self._ask(seat, "lock", seat.actor.claim.remote(device))
            return
        actor = self._hire(
            {
                "num_cpus": 0,
                "resources": {resource_of(device): 1},
                "label_selector": {"ray.io/node-id": f"in({','.join(lease.nodes)})"},
            }
        )
        seat = DeviceSeat(actor, device, lease)
        self._seats.append(seat)
        self._ask(seat, "node", actor.node.remote())

    def _run(self, seat: DeviceSeat, lease: Lease, now: float) -> None:
        if self._desk.began(lease.number, seat.node, now):
            self._ask(seat, "outcome", seat.actor.run.remote(lease.job.model_dump_json()))
        else:
            self._dismiss(seat)

    def _ask(self, seat: DeviceSeat, step: str, reference: Any) -> None:
        seat.step, seat.awaited, seat.idle_since = step, reference, math.inf
        self._expect(seat, reference)

    def _drop(self, lease: Lease) -> None:
        for seat in [one for one in self._seats if one.lease is lease]:
            self._dismiss(seat)

    def _dismiss(self, seat: DeviceSeat) -> None:
        self._seats.remove(seat)
        self._ray.kill(seat.actor, no_restart=True)


def read_outcome(lease: Lease, answer: str) -> Outcome:
    """An outcome as a worker sent it; one that cannot be read is nonsense."""
    try:
        return Outcome.model_validate_json(answer)
    except ValueError:
        return Outcome(key=lease.job.key)
