"""A `JobBackend` on Ray: a pool of warm worker processes, on this machine or on a cluster."""

from __future__ import annotations

import logging
import math
import queue
import time
from pathlib import Path
from typing import Any

import psutil

from nas.domain.device_state import DeviceState
from nas.domain.job import Failure, Job, Outcome, Resources
from nas.errors import TransientError
from nas.ports import Workspace
from workers import ray_cluster
from workers.device_leases import DeviceLeases, DeviceSeat
from workers.devices_here import devices_here
from workers.executor import Execute, estimate
from workers.faults import failure_of, timed_out
from workers.ray_worker import RayWorker
from workers.seat import Seat, impossible, options_of

log = logging.getLogger(__name__)

HEALTH_CHECK_S = 0.5
"""How often the servers of a private Ray are looked after."""


class RayDied(TransientError):
    """The private Ray is gone, and every job on it; start another one in a new process."""


AnySeat = Seat | DeviceSeat


class RayBackend:
    """Runs jobs in Ray actors that are kept, because a warm teacher is worth seconds per job.

    Nothing is repeated by Ray itself: a lost worker is reported as a transient failure, and whether to
    try again is the engine's decision. On a cluster the workspace must lie on a file system that all
    machines share. One thread uses it; any thread may `wake` it.

    Args:
        address: A running cluster; empty or None starts a private Ray on this machine.
        cpus: Cores of the private Ray; all of them by default.
        execute: What a worker does with a job; must be importable there.
        logs: Folder of the workers' log files; None writes none.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        address: str | None = None,
        cpus: int | None = None,
        execute: Execute = estimate,
        logs: Path | None = None,
    ) -> None:
        self._workspace = workspace
        self._execute = execute
        self._logs = logs
        self.is_private = not address
        self._address = address or ""
        self._cpus = cpus
        self._connect()
        self._arrived: queue.SimpleQueue[tuple[AnySeat, Any] | None] = queue.SimpleQueue()
        self._limit = math.inf
        self._waiting: dict[str, Job] = {}
        self._seats: list[Seat] = []
        self._ready: list[Outcome] = []
        self._devices = DeviceLeases(
            self._ray,
            lambda options: self._actor_class.options(**options).remote(
                self._workspace, self._execute, 1, self._logs
            ),
            self._expect,
            lambda job: self._waiting.update({job.key: job}),
            is_private=self.is_private,
            here=devices_here,
        )

    def _connect(self) -> None:
        self._servers: list[psutil.Process] = []
        if self.is_private:
            self._ray = ray_cluster.start_local(self._cpus)
            self._servers = ray_cluster.servers()
        else:
            packages = ("nas", "workers", _package(type(self._workspace)), _package(self._execute))
            self._ray = ray_cluster.join(self._address, tuple(dict.fromkeys(packages)))
        self._actor_class = self._ray.remote(max_restarts=0, max_task_retries=0)(RayWorker)

    def submit(self, job: Job) -> None:
        """Start a job, or queue it until its resources are free. A key in flight is a no-op."""
        key = job.key
        if key in self._waiting or key in self._devices or any(seat.key == key for seat in self._seats):
            return
        failure = impossible(job.resources, self._ray.cluster_resources()) if self.is_private else None
        if failure is not None:  # a cluster may grow
            self._ready.append(Outcome(key=key, failure=failure))
            return
        if job.device:
            self._devices.submit(job)
        else:
            self._waiting[key] = job
        self._assign()

    def device_states(self) -> tuple[DeviceState, ...]:
        """How the devices stand that this backend sees."""
        return self._devices.states()

    def waiting_for_devices(self) -> list[str]:
        """Keys of the jobs that have no device yet."""
        return self._devices.waiting()

    @property
    def cpus(self) -> float:
        """CPUs of all machines, busy or not."""
        return float(self._ray.cluster_resources().get("CPU", 0.0))

    def poll(self, timeout_s: float) -> list[Outcome]:
        """Outcomes that arrived; waits up to `timeout_s` for the first, or until somebody calls `wake`.

        Raises:
            RayDied: If the private Ray is gone.
        """
        until = time.monotonic() + timeout_s
        while True:
            self._require_servers()
            self._ready += [self._expire(seat) for seat in self._seats[:] if seat.deadline <= time.monotonic()]
            left = 0.0 if self._ready else max(0.0, until - time.monotonic())
            arrivals, woken = self._arrivals(left)
            for seat, reference in arrivals:
                if isinstance(seat, DeviceSeat):
                    self._devices.receive(seat, reference)
                elif seat in self._seats and reference is seat.awaited:
                    self._receive(seat)
            self._assign()
            outcomes, self._ready = self._ready, []
            if outcomes or woken or time.monotonic() >= until:
                return outcomes

    def wake(self) -> None:
        """End a `poll` that waits in another thread."""
        self._arrived.put(None)

    def limit(self, cpus: float) -> None:
        """Keep idle workers only within so many CPUs: others want the rest."""
        self._limit = cpus
        self._assign()

    def cancel(self, key: str) -> None:
        """Stop a job, with its worker if it runs; its outcome will not be reported."""
        self._devices.cancel(key)
        self._stop(key)
        self._assign()

    def _stop(self, key: str) -> None:
        self._waiting.pop(key, None)
        for seat in [seat for seat in self._seats if seat.key == key]:
            self._dismiss(seat)

    def withdraw(self) -> list[str]:
        """Take back every job that waits for a worker."""
        keys = [key for key in self._waiting if key not in self._devices]
        for key in keys:
            del self._waiting[key]
        return keys + self._devices.withdraw()

    def close(self) -> None:
        """Stop all jobs and workers, and the private Ray."""
        self._waiting.clear()
        self._devices.close()
        for seat in self._seats[:]:
            self._dismiss(seat)
        self._ray.shutdown()

    def _arrivals(self, timeout_s: float) -> tuple[list[tuple[AnySeat, Any]], bool]:
        """What arrived, and whether somebody called `wake`."""
        deadlines = [seat.deadline - time.monotonic() for seat in self._seats]
        wait_s = max(0.0, min([timeout_s, HEALTH_CHECK_S, self._devices.due_in_s(), *deadlines]))
        arrivals: list[tuple[AnySeat, Any]] = []
        woken = False
        try:
            arrived = self._arrived.get(timeout=wait_s) if wait_s else self._arrived.get_nowait()
            while True:
                woken |= arrived is None
                arrivals += [] if arrived is None else [arrived]
                arrived = self._arrived.get_nowait()
        except queue.Empty:
            return arrivals, woken

    def _expect(self, seat: AnySeat, reference: Any) -> Any:
        """Have `poll` hear of a reference as soon as it is ready."""
        reference.future().add_done_callback(lambda _: self._arrived.put((seat, reference)))
        return reference

    def _receive(self, seat: Seat) -> None:
        """Take what a seat has to say: that it is up, whether it has its job's device, or its outcome."""
        try:
            answer = self._ray.get(seat.awaited)
        except Exception as error:
            log.warning("A worker was lost: %s", error)
            self._lose(seat, failure_of(error))
            return
        if seat.starting is not None:
            seat.starting, seat.pid = None, answer
        elif seat.is_claiming:
            self._go_on(seat, has_device=answer)
        else:
            job, outcome = seat.job, Outcome.model_validate_json(answer)
            seat.answer, seat.job, seat.key, seat.deadline = None, None, "", math.inf
            if job is not None and job.device:
                self._devices.settle_here(job.key, outcome)
            else:
                self._ready.append(outcome)

    def _go_on(self, seat: Seat, *, has_device: bool) -> None:
        """Run a job that has its device now, or try again to have it."""
        assert seat.job is not None
        if not has_device:
            seat.answer = self._expect(seat, seat.actor.claim.remote(seat.job.device))
        elif self._devices.began_here(seat.key):
            seat.is_claiming = False
            seat.answer = self._expect(seat, seat.actor.run.remote(seat.job.model_dump_json()))
        else:
            self._dismiss(seat)

    def _lose(self, seat: Seat, failure: Failure) -> None:
        """Give up a dead seat; its job failed, or the first one that waited for it."""
        self._dismiss(seat)
        key = seat.key or next((k for k, job in self._waiting.items() if job.resources == seat.resources), "")
        job = self._waiting.pop(key, seat.job)
        if job is not None and job.device:
            self._devices.lose_here(key, failure)
        elif key:
            self._ready.append(Outcome(key=key, failure=failure))

    def _require_servers(self) -> None:
        if not all(ray_cluster.is_alive(server) for server in self._servers):
            raise RayDied("Ray on this machine died.", "It is started anew.")

    def _expire(self, seat: Seat) -> Outcome:
        assert seat.job is not None
        self._dismiss(seat)
        return Outcome(key=seat.key, failure=timed_out(seat.job.timeout_s), seconds=seat.job.timeout_s)

    def _assign(self) -> None:
        """Give waiting jobs to idle workers of their size, and hire workers for the rest."""
        outcomes, stopped = self._devices.step()
        self._ready += outcomes
        for key in stopped:
            self._stop(key)
        for key, job in list(self._waiting.items()):
            seat = next((one for one in self._seats if one.is_idle and one.resources == job.resources), None)
            if seat is not None:
                del self._waiting[key]
                self._give(seat, job)
        self._hire()
        for seat in [one for one in self._seats if one.is_idle]:
            if sum(one.resources.cpus for one in self._seats) > self._limit:
                self._dismiss(seat)

    def _give(self, seat: Seat, job: Job) -> None:
        seat.job, seat.key, seat.is_claiming = job, job.key, bool(job.device)
        if job.device:
            seat.answer = self._expect(seat, seat.actor.claim.remote(job.device))
        else:
            seat.deadline = time.monotonic() + job.timeout_s
            seat.answer = self._expect(seat, seat.actor.run.remote(job.model_dump_json()))

    def _hire(self) -> None:
        """Start as many workers as jobs wait, in place of those that nobody waits for."""
        sizes = {job.resources for job in self._waiting.values()}
        if sizes:
            for seat in [one for one in self._seats if one.answer is None and one.resources not in sizes]:
                self._dismiss(seat)  # it would only block the cores
        for size in sizes:
            wanted = sum(job.resources == size for job in self._waiting.values())
            coming = sum(seat.starting is not None and seat.resources == size for seat in self._seats)
            self._seats.extend(self._seat(size) for _ in range(wanted - coming))

    def _seat(self, resources: Resources) -> Seat:
        threads = math.ceil(resources.cpus)
        actor = self._actor_class.options(**options_of(resources)).remote(
            self._workspace, self._execute, threads, self._logs
        )
        seat = Seat(actor=actor, resources=resources, starting=None)
        seat.starting = self._expect(seat, actor.ready.remote())
        return seat

    def _dismiss(self, seat: Seat) -> None:
        self._seats.remove(seat)
        self._ray.kill(seat.actor, no_restart=True)


def _package(thing: Any) -> str:
    return str(thing.__module__).partition(".")[0]
