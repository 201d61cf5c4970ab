"""What lives in a Ray worker process: one executor that keeps its teacher warm from job to job."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock, Timeout

from nas.domain.job import Job, Outcome
from nas.domain.payload import Measure
from nas.ports import Workspace
from workers.executor import Execute, alone, device_lock, run_job
from workers.offered_device import OfferedDevice, offered_here
from workers.worker_log import write_worker_log

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
CLAIM_S = 1.0
"""How long a worker waits for a device before it says that it has not got it."""


class RayWorker:
    """An actor: runs one job at a time, answers with documents.

    Made before anything heavy is imported in its process, so that the number of threads counts.
    """

    def __init__(self, workspace: Workspace, execute: Execute, threads: int, logs: Path | None) -> None:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
        self._offer = offered_here()
        self._workspace = (
            workspace.moved_to(Path(self._offer.data)) if self._offer and self._offer.data else workspace
        )
        if logs is not None:
            write_worker_log(logs)
        self._execute = execute
        self._lock: FileLock | None = None

    def ready(self) -> int:
        """Process id, as soon as the worker is up."""
        return os.getpid()

    def node(self) -> str:
        """Where it is, in Ray's words."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def claim(self, device: str) -> bool:
        """Have a device of this machine to oneself, until the next job is done; False when somebody else has it."""
        offer = self._offer
        lock = device_lock(offer.backend if offer and offer.name == device else device)
        try:
            lock.acquire(timeout=CLAIM_S)
        except Timeout:
            return False
        self._lock = lock
        return True

    def run(self, job: str) -> str:
        """JSON of the outcome of a job given as JSON."""
        asked = Job.model_validate_json(job)
        try:
            with alone(asked, self._workspace):
                return self._outcome(asked).model_dump_json()
        finally:
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def _outcome(self, job: Job) -> Outcome:
        offer, payload = self._offer, job.payload
        if offer is None or not isinstance(payload, Measure) or payload.device != offer.name:
            return run_job(job, self._workspace, self._execute)
        offered, protocol = OfferedDevice(offer, self._execute), payload.protocol
        return run_job(job, self._workspace, offered, lambda: offered.device(protocol))
