"""A farm of devices on a clock of its own: workers come, go, hang, lie, drift and answer too late."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, get_args

from nas.domain.device import Device, LatencyMeasurement, LatencyProtocol
from nas.domain.device_state import DeviceOffer, DeviceState
from nas.domain.job import Failure, Job, MeasureBlock, Outcome
from nas.domain.library import BlockCost, NetworkFloor
from nas.domain.teacher import Calibration, TeacherRef
from nas.domain.value import FrozenDict
from workers.device_desk import DeviceDesk
from workers.device_lease import Lease
from workers.device_stand import HERE, drifted

Conduct = Literal[
    "good", "zero", "wrong type", "wrong device", "wrong job", "silent", "drift", "owns up to drift", "hang"
]
CONDUCTS: tuple[Conduct, ...] = get_args(Conduct)
CANARY_MS = 1.0
WORK_S = 5.0
TIMEOUT_S = 30.0
QUEUE_TIMEOUT_S = 400.0
PROTOCOL = LatencyProtocol()


def a_measurement(number: int, device: str = "phone", *, queue_timeout_s: float = QUEUE_TIMEOUT_S) -> Job:
    payload = MeasureBlock(
        teacher=TeacherRef(),
        calibration=Calibration(),
        stage="E1",
        variant=str(number),
        device=device,
        protocol=PROTOCOL,
    )
    return Job(payload=payload, timeout_s=TIMEOUT_S, queue_timeout_s=queue_timeout_s)


def a_device(name: str = "phone", runtime: str = "runtime 1") -> Device:
    return Device(name=name, backend="fake", runtime=runtime, kind="measured")


def an_offer(
    name: str = "phone", runtime: str = "runtime 1", since: float = 0.0, *, is_shared: bool = False
) -> DeviceOffer:
    return DeviceOffer(
        name=name,
        backend="fake",
        device=a_device(name, runtime),
        labels=FrozenDict({"room": "lab"}),
        worker=f"bench:{since:g}",
        since=since,
        canary_ms=CANARY_MS,
        is_shared=is_shared,
    )


def a_latency(device: Device, median_ms: float = 2.0, canary_ms: float = CANARY_MS) -> LatencyMeasurement:
    return LatencyMeasurement(
        subject="0" * 64,
        device=device,
        protocol=PROTOCOL,
        samples_ms=(median_ms,) * 3,
        median_ms=median_ms,
        p90_ms=median_ms,
        interval_ms=(median_ms, median_ms),
        canary_ms=(canary_ms,) * 3,
    )


@dataclass
class Run:
    """A lease as a worker carries it out.

    Attributes:
        node: Which device it took; None while others have all of them.
        due_at: When it answers.
        is_dropped: Whether its owner has ended it; what it says afterwards is late.
    """

    lease: Lease
    node: str | None = None
    conduct: Conduct = "good"
    due_at: float = 0.0
    is_dropped: bool = False


@dataclass
class DeviceFarm:
    """Carries out the decisions of a desk on devices that a test conducts.

    Attributes:
        conducts: How the device of each node behaves at the moment.
        taken: Nodes whose device another coordinator has.
        answered: Outcomes by key; the test looks that none comes twice.
        pool_lacks: Why the coordinator's own machine cannot measure, by registered device.
    """

    now: float = 1000.0
    offers: dict[str, DeviceOffer] = field(default_factory=dict)
    conducts: dict[str, Conduct] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    runs: list[Run] = field(default_factory=list)
    submitted: dict[str, Job] = field(default_factory=dict)
    submitted_at: dict[str, float] = field(default_factory=dict)
    answered: dict[str, Outcome] = field(default_factory=dict)
    pool_lacks: dict[str, str] = field(default_factory=dict)
    jobs_by_node: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.desk = DeviceDesk(lambda: self.pool_lacks)
        self._numbers = 0

    def plug(self, offer: DeviceOffer, conduct: Conduct = "good") -> str:
        """A worker comes with a device; returns its node."""
        self._numbers += 1
        node = f"node{self._numbers}"
        self.offers[node], self.conducts[node] = offer, conduct
        self.settle()
        return node

    def unplug(self, node: str) -> None:
        """A node dies with whatever it does."""
        del self.offers[node]
        self.taken.discard(node)
        for run in self.at_work:
            if run.node == node:
                run.is_dropped = True
        self.settle()

    def submit(self, job: Job) -> None:
        self.submitted[job.key], self.submitted_at[job.key] = job, self.now
        self.answered.pop(job.key, None)
        self.desk.submit(job, self.now)
        self.settle()

    def cancel(self, key: str) -> None:
        lease = self.desk.cancel(key)
        self._drop([] if lease is None else [lease])
        self.submitted.pop(key)
        self.settle()

    def wait(self, seconds: float) -> None:
        """Let time pass, with everything that happens meanwhile, second by second."""
        for _ in range(max(1, round(seconds))):
            self.now += 1.0
            self.settle()

    def settle(self) -> None:
        """Do what can be done at this moment."""
        self._drop(self.desk.see(self.offers))
        self._drop(self.desk.overdue(self.now))
        for run in [one for one in self.runs if one.node is not None and one.due_at <= self.now]:
            self._answer(run)
        for lease in self.desk.start(self.now):
            self.runs.append(Run(lease))
        for run in self.at_work:
            if run.node is None:
                self._take(run)
        for outcome in self.desk.outcomes():
            assert outcome.key not in self.answered, "answered twice"
            assert outcome.key in self.submitted, "answered what nobody asked for"
            self.answered[outcome.key] = outcome

    @property
    def at_work(self) -> list[Run]:
        return [run for run in self.runs if not run.is_dropped]

    def state(self, name: str = "phone") -> DeviceState:
        return next(state for state in self.desk.states(self.now) if state.name == name)

    def failure(self, job: Job) -> Failure:
        failure = self.answered[job.key].failure
        assert failure is not None
        return failure

    def _take(self, run: Run) -> None:
        """As Ray would: the first node that nobody has, whoever asks."""
        used = {one.node for one in self.at_work} | self.taken
        wanted = [HERE] if run.lease.is_here else [node for node in run.lease.nodes if node in self.offers]
        node = next((one for one in wanted if one not in used or run.lease.is_here), None)
        if node is None:
            return
        if not self.desk.began(run.lease.number, node, self.now):
            run.is_dropped = True
            return
        run.node, run.conduct = node, self.conducts.get(node, "good")
        run.due_at = self.now + (1e9 if run.conduct == "hang" else WORK_S)
        self.jobs_by_node[node] += 1

    def _answer(self, run: Run) -> None:
        """Also of dropped runs: what comes too late must not count."""
        self.runs.remove(run)
        self.desk.answer(run.lease.number, self._outcome(run), self.now)
        self.desk.answer(run.lease.number, self._outcome(run), self.now)  # a duplicate, always

    def _outcome(self, run: Run) -> Outcome:
        job, offer = run.lease.job, self.offers.get(run.node or "")
        device = offer.device if offer else a_device(job.device)
        good = a_latency(device)
        match run.conduct:
            case "zero":
                return Outcome(key=job.key, result=a_latency(device, median_ms=0.0))
            case "wrong type":
                floor = NetworkFloor(cost=BlockCost(params=1, macs=1, attention_macs=0))
                return Outcome(key=job.key, result=floor)
            case "wrong device":
                return Outcome(key=job.key, result=a_latency(a_device("toaster")))
            case "wrong job":
                return Outcome(key="f" * 64, result=good)
            case "silent":
                return Outcome(key=job.key)
            case "drift":
                return Outcome(key=job.key, result=a_latency(device, canary_ms=1.2 * CANARY_MS))
            case "owns up to drift":
                return Outcome(key=job.key, failure=drifted(job.device, 0.2))
        return Outcome(key=job.key, result=good)

    def _drop(self, leases: list[Lease]) -> None:
        for run in self.runs:
            if any(run.lease is lease for lease in leases):
                run.is_dropped = True
        self.runs = [run for run in self.runs if not (run.is_dropped and run.node is None)]
