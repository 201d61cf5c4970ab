"""What workers of the contract tests do; the job's stage names the deed, its variant the details."""

from __future__ import annotations

import os
import signal
import time

from nas.domain.job import DistillBlock, Job, MeasureBlock, Result
from nas.domain.library import BlockCost, Distillation, LibraryEntry
from nas.domain.search import Resources
from nas.domain.teacher import Calibration, TeacherRef
from nas.errors import EvaluationError, TransientError
from nas.ports import Workspace


def a_job(deed: str, details: str = "", *, timeout_s: float = 60.0, cpus: float = 1.0) -> Job:
    payload = DistillBlock(
        teacher=TeacherRef(), calibration=Calibration(), distillation=Distillation(), stage=deed, variant=details
    )
    return Job(payload=payload, resources=Resources(cpus=cpus), timeout_s=timeout_s)


def act(job: Job, workspace: Workspace) -> Result:
    """Do what the job says; the entry's `weights` say what was seen in the worker."""
    assert isinstance(job.payload, DistillBlock)
    seen = DEEDS[job.payload.stage](job.payload.variant)
    cost = BlockCost(params=0, macs=0, attention_macs=0)
    return LibraryEntry(
        key=job.key, stage=job.payload.stage, variant=job.payload.variant, weights=seen, cost=cost, block_loss=0.0
    )


def _fail(details: str) -> str:
    match details:
        case "deterministic":
            raise EvaluationError("The block is not finite.")
        case "transient":
            raise TransientError("The disk was away.")
        case "memory":
            raise MemoryError
        case _:
            raise ZeroDivisionError("in a place nobody thought of")


def _sleep(details: str) -> str:
    time.sleep(float(details))
    return str(os.getpid())


def _die(details: str) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return details


def _look(details: str) -> str:
    return os.environ.get(details, "")


def _name(details: str) -> str:
    return str(os.getpid())


DEEDS = {"fail": _fail, "sleep": _sleep, "die": _die, "look": _look, "name": _name}


def time_something(job: Job, workspace: Workspace) -> Result:
    """A real measurement of a small layer; the variant says how many seconds it takes before."""
    from torch import nn, zeros

    from nas.estimation.devices import DEVICES
    from nas.estimation.devices.base import Subject

    assert isinstance(job.payload, MeasureBlock)
    time.sleep(float(job.payload.variant))
    return DEVICES.get(job.payload.device).measure(Subject(nn.Linear(8, 8), {"x": zeros(1, 8)}), job.payload.protocol)
