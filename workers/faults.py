"""One table: what went wrong on a worker, and whether another attempt is worthwhile."""

from __future__ import annotations

import errno
import os
from typing import Final

from nas.domain.job import Failure
from nas.errors import CorruptArtifact, NasError, TransientError

LONGEST_MESSAGE = 400

WORTH_A_RETRY: Final[dict[str, tuple[str, str]]] = {
    # Class, found anywhere among the ancestors: (code, words for the user). By name, so that Ray and
    # torch need not be imported to judge an error.
    "builtins.MemoryError": ("out_of_memory", "The worker ran out of memory."),
    "torch.OutOfMemoryError": ("out_of_memory", "The accelerator ran out of memory."),
    "builtins.ConnectionError": ("connection_lost", "A connection was lost."),
    "builtins.TimeoutError": ("timeout", "Something the worker waited for did not answer in time."),
    "ray.exceptions.OutOfMemoryError": ("out_of_memory", "The machine ran short of memory and the job was stopped."),
    "ray.exceptions.WorkerCrashedError": ("worker_lost", "The worker process died."),
    "ray.exceptions.RayActorError": ("worker_lost", "The worker process died."),
    "ray.exceptions.ActorUnschedulableError": ("no_resources", "No machine has the resources the job asks for."),
    "ray.exceptions.TaskUnschedulableError": ("no_resources", "No machine has the resources the job asks for."),
    "ray.exceptions.TaskPlacementGroupRemoved": ("no_resources", "The job's place on the cluster was taken away."),
    "ray.exceptions.ActorPlacementGroupRemoved": ("no_resources", "The job's place on the cluster was taken away."),
    "ray.exceptions.NodeDiedError": ("node_lost", "The machine of the worker was lost."),
    "ray.exceptions.ObjectLostError": ("node_lost", "The machine that held the result was lost."),
    "ray.exceptions.LocalRayletDiedError": ("node_lost", "Ray on this machine died."),
    "ray.exceptions.RaySystemError": ("node_lost", "Ray on this machine failed."),
    "ray.exceptions.GetTimeoutError": ("timeout", "Ray did not answer in time."),
    "ray.exceptions.RpcError": ("connection_lost", "The cluster cannot be reached."),
    "ray.exceptions.RuntimeEnvSetupError": ("worker_not_started", "The worker's environment could not be set up."),
    "ray.exceptions.OutOfDiskError": ("disk_full", "The disk of the worker is full."),
    "ray.exceptions.ObjectStoreFullError": ("out_of_memory", "Ray's object store is full."),
}
_NO_SPACE = os.strerror(errno.ENOSPC)
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
SHAKY_DISK = (errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.EAGAIN)


def failure_of(error: BaseException) -> Failure:
    """What an exception means for the job that met it.

    Never contains a traceback: log that where the error is caught.
    """
    cause = getattr(error, "cause", None)
    if isinstance(cause, BaseException) and type(error).__module__.startswith("ray."):
        return failure_of(cause)
    if isinstance(error, NasError):
        again = isinstance(error, TransientError | CorruptArtifact)
        return Failure(code=error.code, message=_shortened(str(error)), transient=again)
    return _of_disk(error) or _of_table(error) or _unexpected(error)


def timed_out(timeout_s: float) -> Failure:
    """The failure of a job that ran longer than it may."""
    return Failure(
        code="timeout", message=f"The job ran longer than {timeout_s:g} s and was stopped.", transient=True
    )


def _of_disk(error: BaseException) -> Failure | None:
    if _NO_SPACE in str(error):  # libraries that write by themselves (safetensors) wrap the system's words
        return Failure(code="disk_full", message=_shortened(_NO_SPACE), transient=True)
    if not isinstance(error, OSError) or error.errno not in (*FULL_DISK, *SHAKY_DISK):
        return None
    code = "disk_full" if error.errno in FULL_DISK else "disk_error"
    return Failure(code=code, message=_shortened(error.strerror or code), transient=True)


def _of_table(error: BaseException) -> Failure | None:
    for ancestor in type(error).__mro__:
        known = WORTH_A_RETRY.get(f"{ancestor.__module__}.{ancestor.__qualname__}")
        if known is not None:
            return Failure(code=known[0], message=known[1], transient=True)
    if "can't allocate memory" in str(error):  # torch's CPU allocator raises a plain RuntimeError
        return Failure(code="out_of_memory", message=WORTH_A_RETRY["builtins.MemoryError"][1], transient=True)
    return None


def _unexpected(error: BaseException) -> Failure:
    first_line = (str(error).strip().splitlines() or [""])[0]
    message = _shortened(f"{type(error).__name__}: {first_line}".rstrip(": "))
    return Failure(code="unexpected_error", message=message, transient=False)


def _shortened(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"
