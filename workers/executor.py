"""Runs one job to its outcome inside a worker process."""

from __future__ import annotations

import logging
import resource
import sys
import time
from collections.abc import Callable

from nas.domain.job import Job, Outcome, Result
from nas.ports import Workspace
from workers.faults import failure_of

log = logging.getLogger(__name__)

Execute = Callable[[Job, Workspace], Result]
"""Does the work of a job, or finds it in the journal, and returns its result; or raises.

The result must be in the journal before it is returned, so that a coordinator that dies in between
finds it there.
"""


def estimate(job: Job, workspace: Workspace) -> Result:
    """The real work. Torch and everything heavy are imported here, in the worker, and stay warm."""
    from nas.estimation.execute import execute

    return execute(job, workspace)


def run_job(job: Job, workspace: Workspace, execute: Execute = estimate) -> Outcome:
    """Run a job to its outcome; never raises."""
    started = time.monotonic()
    key = job.key
    try:
        result = execute(job, workspace)
    except Exception as error:
        log.exception("Job %s (%s) gave no result", key[:12], job.payload.kind)
        return Outcome(key=key, failure=failure_of(error), seconds=time.monotonic() - started)
    return Outcome(key=key, result=result, seconds=time.monotonic() - started, peak_memory_bytes=peak_memory_bytes())


def peak_memory_bytes() -> int:
    """Largest resident set of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
