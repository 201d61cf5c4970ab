"""Runs one job to its outcome inside a worker process."""

from __future__ import annotations

import logging
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from filelock import FileLock

from nas.domain.device import Device
from nas.domain.job import Job, Outcome, Result
from nas.domain.plausible import nonsense
from nas.errors import TransientError
from nas.estimation.execute import recall
from nas.ports import Workspace
from workers.device_stand import NONSENSE
from workers.faults import failure_of
from workers.worker_log import job_log

log = logging.getLogger(__name__)

Execute = Callable[[Job, Workspace], Result]
"""Does the work of a job and returns its result; or raises. The journal is not its business."""


def estimate(job: Job, workspace: Workspace) -> Result:
    """The real work. Torch and everything heavy are imported here, in the worker, and stay warm."""
    import nas.adaptation.package
    import nas.adaptation.steps  # noqa: F401  # both enter what they do among the kinds of jobs
    from nas.estimation.execute import perform

    return perform(job, workspace)


class ImplausibleResult(TransientError):
    """A device answered what cannot be true; it is not kept."""

    code = NONSENSE


def run_job(
    job: Job, workspace: Workspace, execute: Execute = estimate, device: Callable[[], Device] | None = None
) -> Outcome:
    """Run a job to its outcome, or find it in the journal; never raises.

    The result is in the journal before it is returned, so that a coordinator that dies in between finds
    it there.

    Args:
        job: What is to be done.
        workspace: What it may touch.
        execute: Does it.
        device: Fingerprint of the device that `execute` would take; by default this machine's of that name.
    """
    started = time.monotonic()
    whose = {"search": job.search, "trial": job.trial, "attempt": job.attempt, "kind": job.payload.kind}
    with structlog.contextvars.bound_contextvars(job=job.key, **whose), job_log() as kept:
        try:
            known = recall(job, workspace, device() if device else None)
            result = known or execute(job, workspace)
            if known is None:
                if why := nonsense(job, result):
                    raise ImplausibleResult(why)
                workspace.journal.record(job.payload.key_of(result), result.model_dump_json())
        except Exception as error:
            seconds = time.monotonic() - started
            log.exception("job failed", extra={"seconds": round(seconds, 3)})
            return Outcome(key=job.key, failure=failure_of(error), seconds=seconds, log=kept.text)
        seconds = 0.0 if known else time.monotonic() - started
        log.info("job finished", extra={"seconds": round(seconds, 3), "from_journal": known is not None})
        return Outcome(
            key=job.key, result=result, seconds=seconds, peak_memory_bytes=peak_memory_bytes(), log=kept.text
        )


@contextmanager
def alone(job: Job, workspace: Workspace) -> Iterator[None]:
    """Have a job to oneself among all workers of this machine, whoever sent them.

    A coordinator that is stopped, or was killed a moment ago, may have a worker on a job that its
    successor asks for as well. The second worker waits here, and then finds the result in the journal.
    One that stops at other limits is no other job here: what the first finds may be good for both.
    The operating system lets go of the lock when its holder dies.
    """
    folder = workspace.scratch / "locks"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / f"{job.payload.keys[0]}.lock"):
        yield


def device_lock(device: str) -> FileLock:
    """The lock of a device, for all processes of this machine whoever started them."""
    name = re.sub(r"[^\w.-]", "-", device)
    path = Path(tempfile.gettempdir()) / f"blocksmith-device-{name}.lock"
    if path.exists() and not os.access(path, os.W_OK):  # another user's
        path = path.with_name(f"blocksmith-device-{name}-{os.getuid()}.lock")
    return FileLock(path, mode=0o666, thread_local=False)


def peak_memory_bytes() -> int:
    """Largest resident set of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
