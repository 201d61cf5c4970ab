"""Runs one job to its outcome inside a worker process."""

from __future__ import annotations

import logging
import resource
import sys
import time
from collections.abc import Callable

from pydantic import TypeAdapter, ValidationError

from nas.domain.job import CaptureFeatures, Job, Outcome, Result
from nas.domain.library import LibraryEntry
from nas.ports import Workspace
from workers.faults import failure_of

log = logging.getLogger(__name__)

Execute = Callable[[Job, Workspace], Result]
"""Does the work of a job and returns its result, or raises."""

RESULT: TypeAdapter[Result] = TypeAdapter(Result)


def estimate(job: Job, workspace: Workspace) -> Result:
    """The real work. Torch and everything heavy are imported here, in the worker, and stay warm."""
    from nas.estimation.execute import execute

    return execute(job, workspace)


def run_job(job: Job, workspace: Workspace, execute: Execute = estimate) -> Outcome:
    """Run a job, or find its result in the journal; never raises.

    The result is in the journal before anybody hears of it, so that a coordinator that dies in
    between finds it there.
    """
    started = time.monotonic()
    key = job.key
    try:
        known = _recall(job, key, workspace)
        if known is not None:
            return Outcome(key=key, result=known)
        result = execute(job, workspace)
        workspace.journal.record(key, result.model_dump_json())
    except Exception as error:
        log.exception("Job %s (%s) gave no result", key[:12], job.payload.kind)
        return Outcome(key=key, failure=failure_of(error), seconds=time.monotonic() - started)
    return Outcome(key=key, result=result, seconds=time.monotonic() - started, peak_memory_bytes=peak_memory_bytes())


def peak_memory_bytes() -> int:
    """Largest resident set of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _recall(job: Job, key: str, workspace: Workspace) -> Result | None:
    """The journal's result, unless what it refers to is gone.

    A capture is always asked for again: its receipt says nothing about the features on this disk,
    and finding them there is quick.
    """
    stored = None if isinstance(job.payload, CaptureFeatures) else workspace.journal.recall(key)
    if stored is None:
        return None
    try:
        result = RESULT.validate_json(stored)
    except ValidationError:
        return None
    lost = isinstance(result, LibraryEntry) and result.weights and result.weights not in workspace.artifacts
    return None if lost else result
