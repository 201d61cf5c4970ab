"""One worker process of the pool, and what a machine can never do for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas.domain.job import Failure, Job, Resources


@dataclass
class Seat:
    """One worker process and what it is doing.

    Attributes:
        starting: Reference that becomes ready with the process; None once it is up.
        answer: Reference to the outcome of the present job; None while idle.
        deadline: Monotonic time by which the present job must be done. The time a job waited for its
            worker does not count; of jobs that take a device, `DeviceLeases` keeps the time.
        is_claiming: Whether the answer will tell if the job has its device.
    """

    actor: Any
    resources: Resources
    starting: Any
    pid: int = 0
    answer: Any = None
    job: Job | None = None
    key: str = ""
    deadline: float = math.inf
    is_claiming: bool = False

    @property
    def is_idle(self) -> bool:
        """Whether it is up and without work."""
        return self.starting is None and self.answer is None

    @property
    def awaited(self) -> Any:
        """The reference that will be ready next, or None."""
        return self.answer if self.starting is None else self.starting


def impossible(resources: Resources, has: Mapping[str, float]) -> Failure | None:
    """Why a machine that has so much can never run a job of this size."""
    asked = {"CPU": resources.cpus, "GPU": resources.gpus, "memory": float(resources.memory_bytes)}
    lacking = [f"{amount:g} {name}" for name, amount in asked.items() if amount > has.get(name, 0.0)]
    if not lacking:
        return None
    offered = ", ".join(f"{has.get(name, 0.0):g} {name}" for name in asked)
    message = f"A job asks for {' and '.join(lacking)}; this machine offers {offered}."
    return Failure(code="no_resources", message=message, transient=False)


def options_of(resources: Resources) -> dict[str, Any]:
    """Ray options of a worker; Ray takes shares below one, whole numbers above."""
    return {
        "num_cpus": _whole_above_one(resources.cpus),
        "num_gpus": _whole_above_one(resources.gpus),
        "memory": resources.memory_bytes or None,
    }


def _whole_above_one(amount: float) -> float:
    return amount if amount <= 1 else float(math.ceil(amount))
