"""Decides which measurement takes which device, and when. Knows no Ray and has no clock of its own.

A device runs one job at a time. Who carries out a decision reports what came of it under the number of the
lease; what is reported of a lease that has ended is ignored.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping

from nas.domain.device_state import DeviceCondition, DeviceOffer, DeviceState
from nas.domain.job import Failure, Job, Outcome
from workers.device_lease import Lease, Waiting
from workers.device_stand import HERE, Stand, complaint
from workers.faults import timed_out

LOST = "device_lost"
ABSENT = "device_absent"
BUSY = "device_busy"
QUARANTINED = "device_quarantined"


class DeviceDesk:
    """Lends devices to jobs, first come, first served by device.

    Args:
        here: Registered devices with the reason why this machine cannot measure them, empty where it can. They are
            lent when no worker offers a device of that name.
    """

    def __init__(self, here: Callable[[], Mapping[str, str]] = dict) -> None:
        self._here = here
        self._stands: dict[str, Stand] = {}
        self._pool: dict[str, Stand] = {}
        self._waiting: dict[str, Waiting] = {}
        self._leases: dict[int, Lease] = {}
        self._numbers = itertools.count(1)
        self._outcomes: list[Outcome] = []
        self._names: set[str] = set()
        self._told: dict[str, DeviceState] = {}

    def submit(self, job: Job, now: float) -> None:
        """Have a job wait for its device; a key in flight is a no-op."""
        if job.key not in self:
            self._waiting[job.key] = Waiting(job, now)
            self._names.add(job.device)

    def __contains__(self, key: object) -> bool:
        return key in self._waiting or any(lease.job.key == key for lease in self._leases.values())

    def outcomes(self) -> list[Outcome]:
        """What became of jobs since the last call."""
        told, self._outcomes = self._outcomes, []
        return told

    def see(self, offers: Mapping[str, DeviceOffer]) -> list[Lease]:
        """Take note of what the nodes offer now; returns the leases that ended because their node is gone."""
        for node in self._stands.keys() - offers.keys():
            del self._stands[node]
        for node, offer in offers.items():
            if node not in self._stands or self._stands[node].offer != offer:
                self._stands[node] = Stand(offer.name, offer)
                self._names.add(offer.name)
        ended = []
        for lease in [one for one in self._leases.values() if not one.is_here]:
            if lease.node is not None and lease.node not in self._stands:
                ended.append(lease)
                why = f"Device {lease.job.device!r} vanished while it measured."
                self.lost(lease.number, Failure(code=LOST, message=why, transient=True))
            elif lease.node is None and not any(node in self._stands for node in lease.nodes):
                ended.append(lease)
                self._put_back(lease)
        return ended

    def start(self, now: float) -> list[Lease]:
        """Lend what is free; whoever carries it out says `began` when it really has the device."""
        begun = []
        for key, waited in list(self._waiting.items()):
            taken = [lease for lease in self._leases.values() if lease.job.device == waited.job.device]
            running = {lease.node for lease in taken}
            usable = [node for node, stand in self._usable(waited.job.device) if not stand.is_quarantined(now)]
            free = tuple(node for node in usable if node not in running)
            if free and len(taken) < len(usable):
                del self._waiting[key]
                lease = Lease(next(self._numbers), waited, free)
                self._leases[lease.number] = lease
                begun.append(lease)
        return begun

    def began(self, number: int, node: str, now: float) -> bool:
        """Note that a lease has its device; False when it must let go of it at once."""
        lease = self._leases.get(number)
        if lease is None:
            return False
        stand = dict(self._usable(lease.job.device)).get(node)
        elsewhere = any(one.node == node and one is not lease and not one.is_here for one in self._leases.values())
        if stand is None or stand.is_quarantined(now) or elsewhere:
            self._put_back(lease)
            return False
        lease.node, lease.deadline = node, now + lease.job.timeout_s
        return True

    def answer(self, number: int, outcome: Outcome, now: float) -> None:
        """Take the outcome of a lease: checked, because a device may answer nonsense."""
        lease = self._leases.pop(number, None)
        if lease is None:
            return
        stand = self._stand_of(lease)
        failure = outcome.failure or complaint(lease.job, outcome, stand)
        if stand is not None:
            stand.note(outcome.result if failure is None else None, failure, now)
        refused = Outcome(key=lease.job.key, failure=failure, seconds=outcome.seconds, log=outcome.log)
        self._outcomes.append(outcome if failure is None else refused)

    def lost(self, number: int, failure: Failure, seconds: float = 0.0) -> None:
        """End a lease whose worker is gone."""
        lease = self._leases.pop(number, None)
        if lease is None:
            return
        self._outcomes.append(Outcome(key=lease.job.key, failure=failure, seconds=seconds))

    def overdue(self, now: float) -> list[Lease]:
        """End what waited or ran too long; returns the leases among it, whose workers are to be stopped."""
        for key, waited in list(self._waiting.items()):
            if waited.until <= now:
                del self._waiting[key]
                self._outcomes.append(Outcome(key=key, failure=self._unserved(waited, now)))
        ended = []
        for lease in list(self._leases.values()):
            if lease.deadline <= now:
                ended.append(lease)
                self.lost(lease.number, timed_out(lease.job.timeout_s), lease.job.timeout_s)
            elif lease.node is None and lease.waited.until <= now:
                ended.append(lease)
                self.lost(lease.number, self._unserved(lease.waited, now))
        return ended

    def cancel(self, key: str) -> Lease | None:
        """Forget a job; returns its lease when it has one, whose worker is to be stopped."""
        self._waiting.pop(key, None)
        found = next((lease for lease in self._leases.values() if lease.job.key == key), None)
        if found is not None:
            del self._leases[found.number]
        return found

    def waiting(self) -> list[str]:
        """Keys of the jobs that have no device yet."""
        asked = (lease.job.key for lease in self._leases.values() if lease.node is None)
        return [*self._waiting, *asked]

    def withdraw(self) -> list[str]:
        """Take back every job that waits."""
        keys = list(self._waiting)
        self._waiting.clear()
        return keys

    def due_at(self, now: float) -> float:
        """When to look again, if nothing happens before."""
        moments = [waited.until for waited in self._waiting.values()]
        for lease in self._leases.values():
            moments.append(lease.deadline if lease.node is not None else lease.waited.until)
        if self._waiting:
            moments += [stand.free_at for _, stand in self._all() if stand.free_at > now]
        return min(moments, default=math.inf)

    def states(self, now: float) -> tuple[DeviceState, ...]:
        """How every device stands that was ever seen here or asked for, by name."""
        names = self._names | {name for name, why in self._here().items() if not why}
        self._told = {name: self._state(name, now) for name in sorted(names)}
        return tuple(self._told.values())

    def _state(self, name: str, now: float) -> DeviceState:
        before = self._told.get(name)
        usable = self._usable(name)
        stands = [stand for _, stand in usable]
        condition, reason = self._condition(name, stands, now)
        if not stands:
            gone = before or DeviceState(name=name, condition="absent", since=now)
            return gone.absent(reason, now)
        return DeviceState(
            name=name,
            device=stands[0].device,
            labels=stands[0].labels,
            condition=condition,
            since=before.since if before and before.condition == condition else now,
            worker=", ".join(stand.worker for stand in stands),
            canary_ms=stands[0].canary_ms,
            baseline_ms=stands[0].baseline_ms,
            reason=" ".join(said for said in (reason, self._refusal(name)) if said),
            is_in_pool=stands[0].offer is None,
        )

    def _condition(self, name: str, stands: list[Stand], now: float) -> tuple[DeviceCondition, str]:
        if not stands:
            return "absent", self._here().get(name, "") or f"No worker offers device {name!r}."
        quarantined = [stand for stand in stands if stand.is_quarantined(now)]
        reason = " ".join(dict.fromkeys(stand.reason for stand in stands if stand.reason))
        if len(quarantined) == len(stands):
            return "quarantined", reason
        is_busy = any(lease.job.device == name and lease.node is not None for lease in self._leases.values())
        return ("busy" if is_busy else "available"), reason

    def _refusal(self, name: str) -> str:
        """What is said of workers that claim a name which another device has."""
        accepted = dict(self._usable(name))
        others = [s for n, s in self._stands.items() if s.name == name and n not in accepted]
        if not others:
            return ""
        workers = ", ".join(stand.worker for stand in others)
        return f"Refused, because its fingerprint is another: {workers}."

    def _usable(self, name: str) -> list[tuple[str, Stand]]:
        """Interchangeable devices of a name: those like the one that claimed it first; else this machine's."""
        offered = [(node, stand) for node, stand in self._stands.items() if stand.name == name]
        if offered:
            _, first = min(offered, key=lambda one: (one[1].since, one[0]))
            return [(node, stand) for node, stand in offered if stand.fingerprint == first.fingerprint]
        if self._here().get(name, "unknown") == "":
            return [(HERE, self._pool.setdefault(name, Stand(name, None)))]
        return []

    def _stand_of(self, lease: Lease) -> Stand | None:
        return self._pool.get(lease.job.device) if lease.is_here else self._stands.get(lease.node or "")

    def _put_back(self, lease: Lease) -> None:
        """Have the job of a lease wait again, ahead of those who came later."""
        del self._leases[lease.number]
        self._waiting = {lease.job.key: lease.waited, **self._waiting}

    def _unserved(self, waited: Waiting, now: float) -> Failure:
        """Why a job waited for too long."""
        name, limit = waited.job.device, waited.job.queue_timeout_s
        stands = [stand for _, stand in self._usable(name)]
        condition, reason = self._condition(name, stands, now)
        if condition == "absent":
            lacking = f" This machine cannot measure it: {self._here()[name]}." if self._here().get(name) else ""
            why = f"No worker offers device {name!r}; start one with: blocksmith device-worker --device {name}"
            return Failure(code=ABSENT, message=f"{why} (waited {limit:g} s).{lacking}", transient=True)
        if condition == "quarantined":
            why = f"Device {name!r} is quarantined (waited {limit:g} s). {reason}"
            return Failure(code=QUARANTINED, message=why, transient=True)
        why = f"Device {name!r} was taken by other jobs for {limit:g} s."
        return Failure(code=BUSY, message=why, transient=True)

    def _all(self) -> Iterator[tuple[str, Stand]]:
        yield from self._stands.items()
        yield from ((HERE, stand) for stand in self._pool.values())
