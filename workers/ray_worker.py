"""What lives in a Ray worker process: one executor that keeps its teacher warm from job to job."""

from __future__ import annotations

import os

from nas.domain.job import Job
from nas.ports import Workspace
from workers.executor import Execute, run_job

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class RayWorker:
    """An actor: runs one job at a time, answers with documents.

    Made before anything heavy is imported in its process, so that the number of threads counts.
    """

    def __init__(self, workspace: Workspace, execute: Execute, threads: int) -> None:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
        self._workspace = workspace
        self._execute = execute

    def ready(self) -> int:
        """Process id, as soon as the worker is up."""
        return os.getpid()

    def run(self, job: str) -> str:
        """JSON of the outcome of a job given as JSON."""
        outcome = run_job(Job.model_validate_json(job), self._workspace, self._execute)
        return outcome.model_dump_json()
