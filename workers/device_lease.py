"""A job that waits for a device, and a device that was given to a job."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nas.domain.job import Job
from workers.device_stand import HERE


@dataclass
class Waiting:
    """A job without a device.

    Attributes:
        since: When it was submitted.
    """

    job: Job
    since: float

    @property
    def until(self) -> float:
        """When its patience ends."""
        return self.since + self.job.queue_timeout_s


@dataclass
class Lease:
    """A device that was given to a job.

    Attributes:
        number: Never used twice.
        waited: The job, and since when it waits.
        nodes: Where it may run: interchangeable devices that nobody here uses. `HERE` is the pool of this machine.
        node: Where it runs; None until the device was really had.
        deadline: When its time has run out.
    """

    number: int
    waited: Waiting
    nodes: tuple[str, ...]
    node: str | None = None
    deadline: float = math.inf

    @property
    def job(self) -> Job:
        """What runs."""
        return self.waited.job

    @property
    def is_here(self) -> bool:
        """Whether it runs in the pool of this machine."""
        return self.nodes == (HERE,)
