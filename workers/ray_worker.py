"""What lives in a Ray worker process: one executor that keeps its teacher warm from job to job."""

from __future__ import annotations

import os
from pathlib import Path

from nas.domain.job import Job
from nas.ports import Workspace
from workers.executor import Execute, alone, run_job
from workers.worker_log import write_worker_log

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class RayWorker:
    """An actor: runs one job at a time, answers with documents.

    Made before anything heavy is imported in its process, so that the number of threads counts.
    """

    def __init__(self, workspace: Workspace, execute: Execute, threads: int, logs: Path | None) -> None:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
        if logs is not None:
            write_worker_log(logs)
        self._workspace = workspace
        self._execute = execute

    def ready(self) -> int:
        """Process id, as soon as the worker is up."""
        return os.getpid()

    def run(self, job: str) -> str:
        """JSON of the outcome of a job given as JSON."""
        asked = Job.model_validate_json(job)
        with alone(asked, self._workspace):
            return run_job(asked, self._workspace, self._execute).model_dump_json()
