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
        served: CPU seconds it was given, the present jobs left out; newcomers start where the others are.
    """

    most: float = math.inf
    running: int = 0
    cpus: float = 0.0
    served: float = 0.0

    @property
    def rank(self) -> tuple[float, float]:
        """The least served comes first: by what it holds now, then by what it was given."""
        return self.cpus, self.served

    def begin(self, cpus: float) -> None:
        """Account for a job that starts."""
        self.running += 1
        self.cpus += cpus

    def end(self, cpus: float, seconds: float) -> None:
        """Account for a job that has ended."""
        self.running -= 1
        self.cpus = max(0.0, self.cpus - cpus)
        self.served += cpus * seconds


@dataclass
class Queue:
    """Jobs of one search that wait, oldest first.

    Attributes:
        project: Whose quota they count against.
    """

    project: str
    share: Share
    jobs: dict[str, Job] = field(default_factory=dict)


class FairShare:
    """Chooses the next job: of the project that has least, of its searches the one that has least.

    Slots that one project cannot use go to the others. A job that is chosen and does not fit makes all
    others wait: else large jobs would never get their turn.
    """

    def __init__(self) -> None:
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
        if name not in self._queues:
            peers = [queue.share.served for queue in self._queues.values() if queue.project == project]
            self._queues[name] = Queue(project, Share(served=min(peers, default=0.0)))
        self._queues[name].share.most = most
        self._project(project)
        return self._queues[name]

    def forget(self, name: str) -> None:
        """Drop a queue, with whatever waits in it."""
        self._queues.pop(name, None)

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

    def begin(self, queue: Queue, job: Job) -> None:
        """Account for a job that starts."""
        for share in (self._project(queue.project), queue.share):
            share.begin(job.resources.cpus)

    def end(self, queue: Queue, job: Job, seconds: float) -> None:
        """Account for a job that has ended."""
        for share in (self._project(queue.project), queue.share):
            share.end(job.resources.cpus, seconds)

    def holding(self, key: str) -> Iterable[str]:
        """Names of the queues in which a job waits."""
        return [name for name, queue in self._queues.items() if key in queue.jobs]

    def _may(self, project: str) -> bool:
        share = self._project(project)
        return share.running < share.most

    def _project(self, project: str) -> Share:
        if project not in self._projects:
            active = [share.served for share in self._projects.values() if share.running]
            self._projects[project] = Share(served=min(active, default=0.0))
        return self._projects[project]
