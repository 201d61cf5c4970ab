"""Who is next: fair queueing of jobs by project, then by search."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from nas.domain.job import Job


@dataclass
class Share:
    """What somebody has of the workers.

    Attributes:
        most: Jobs it may have at once.
        running: Jobs it has now.
        cpus: CPUs they take.
        served: CPU seconds it was given, the present jobs left out; who begins to ask, for the first time or after
            a pause, starts where the others are.
        clock: Where the others are: of the shares within this one that ask, what the least served has had.
        begun: Sum over the present jobs of their CPUs times the moment they started.
    """

    most: float = math.inf
    running: int = 0
    cpus: float = 0.0
    served: float = 0.0
    clock: float = 0.0
    begun: float = 0.0

    @property
    def rank(self) -> tuple[float, float]:
        """The least served comes first: by what it holds now, then by what it was given."""
        return self.cpus, self.served

    def had(self, now: float) -> float:
        """CPU seconds it was given, the present jobs included."""
        return self.served + self.cpus * now - self.begun

    def begin(self, cpus: float, now: float) -> None:
        """Account for a job that starts."""
        self.running += 1
        self.cpus += cpus
        self.begun += cpus * now

    def end(self, cpus: float, since: float, worked_s: float) -> None:
        """Account for a job that has ended."""
        self.running -= 1
        self.cpus = max(0.0, self.cpus - cpus)
        self.begun = self.begun - cpus * since if self.running else 0.0
        self.served += cpus * worked_s


@dataclass
class Queue:
    """Jobs of one search that wait, oldest first.

    Attributes:
        project: Whose quota they count against.
    """

    project: str
    share: Share = field(default_factory=Share)
    jobs: dict[str, Job] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Whether anything waits or runs."""
        return bool(self.jobs or self.share.running)


class FairShare:
    """Chooses the next job: of the project that has least, of its searches the one that has least.

    Slots that one cannot use go to the others, and are not made up for when it asks again: as in start-time fair
    queueing (Goyal et al., SIGCOMM 1996), it begins at the clock of those who asked all the time. A job that is
    chosen and does not fit makes all others wait: else large jobs would never get their turn.
    """

    def __init__(self) -> None:
        self._whole = Share()
        self._projects: dict[str, Share] = {}
        self._queues: dict[str, Queue] = {}

    @property
    def queued(self) -> int:
        """Jobs that wait."""
        return sum(len(queue.jobs) for queue in self._queues.values())

    def open(self, name: str, project: str, most: int) -> Queue:
        """The queue of a search, made when it is new.

        Args:
            name: Who asks.
            project: Whose share it comes out of.
            most: Jobs that may run at once.
        """
        queue = self._queues.setdefault(name, Queue(project))
        queue.share.most = most
        return queue

    def forget(self, name: str) -> None:
        """Drop a queue, with whatever waits in it."""
        self._queues.pop(name, None)

    def put(self, queue: Queue, job: Job, now: float) -> None:
        """Have a job wait; one that does already stays where it is."""
        active = self._advance(now)
        project = self._project(queue.project)
        if queue.project not in active:
            project.served = max(project.served, self._whole.clock)
        if not queue.is_active:
            queue.share.served = max(queue.share.served, project.clock)
        queue.jobs.setdefault(job.key, job)

    def set_quota(self, project: str, most: float) -> None:
        """Bound the jobs that a project may have at once."""
        self._project(project).most = most

    def next(self) -> tuple[str, Queue, Job] | None:
        """Whose turn it is, and with which job; None when nobody waits who may start."""
        waiting = [
            (name, queue)
            for name, queue in self._queues.items()
            if queue.jobs and queue.share.running < queue.share.most
        ]
        allowed = [(name, queue) for name, queue in waiting if self._may(queue.project)]
        if not allowed:
            return None
        name, queue = min(allowed, key=lambda one: (self._project(one[1].project).rank, one[1].share.rank))
        return name, queue, next(iter(queue.jobs.values()))

    def begin(self, queue: Queue, job: Job, now: float) -> None:
        """Account for a job that starts."""
        for share in (self._project(queue.project), queue.share):
            share.begin(job.resources.cpus, now)
        self._advance(now)

    def end(self, queue: Queue, job: Job, since: float, worked_s: float, now: float) -> None:
        """Account for a job that started at `since`, worked so long and is over."""
        project = self._project(queue.project)
        for share, clock in ((project, self._whole.clock), (queue.share, project.clock)):
            share.end(job.resources.cpus, since, worked_s)
            # By the clock it may have passed for working longer, and newcomers were put there.
            share.served += max(0.0, clock - share.had(now))

    def holding(self, key: str) -> Iterable[str]:
        """Names of the queues in which a job waits."""
        return [name for name, queue in self._queues.items() if key in queue.jobs]

    def _may(self, project: str) -> bool:
        share = self._project(project)
        return share.running < share.most

    def _advance(self, now: float) -> dict[str, list[Share]]:
        """Set the clocks, and return the shares of the searches that ask, by project."""
        active: dict[str, list[Share]] = {}
        for queue in self._queues.values():
            if queue.is_active:
                active.setdefault(queue.project, []).append(queue.share)
        for name, shares in active.items():
            project = self._project(name)
            project.clock = max(project.clock, min(share.had(now) for share in shares))
        had = (self._project(name).had(now) for name in active)
        self._whole.clock = max(self._whole.clock, min(had, default=0.0))
        return active

    def _project(self, project: str) -> Share:
        return self._projects.setdefault(project, Share())
