"""Run a job: look into the journal, else do the work and enter it there. Heavy imports happen with the work."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from nas.domain.adaptation import TrainedNetwork
from nas.domain.device import Device, LatencyMeasurement
from nas.domain.job import (
    CaptureFeatures,
    CountFloor,
    DistillBlock,
    EvaluateArchitecture,
    Evaluation,
    ExportedNetwork,
    FeatureSet,
    Job,
    MeasureBlock,
    MeasureNetwork,
    Resources,
    Result,
)
from nas.domain.library import LibraryEntry, NetworkFloor
from nas.domain.payload import Measure
from nas.ports import Workspace
from nas.registry import Registry

if TYPE_CHECKING:
    import torch

Run = Callable[[Any, Workspace, Resources], Result]
RUNS: Registry[Run] = Registry("kind of job")
RESULT: TypeAdapter[Result] = TypeAdapter(Result)


def execute(job: Job, workspace: Workspace) -> Result:
    """The result of a job: recalled if it was ever finished in this workspace, else computed and recorded.

    A function of job and workspace alone; two calls at the same time are safe and waste one of them.

    Raises:
        NasError: Whatever the work raises; nothing is recorded then.
    """
    known = recall(job, workspace)
    if known is not None:
        return known
    result = perform(job, workspace)
    workspace.journal.record(job.payload.key_of(result), result.model_dump_json())
    return result


def perform(job: Job, workspace: Workspace) -> Result:
    """Do the work of a job, whatever the journal says.

    Raises:
        NasError: Whatever the work raises.
    """
    return RUNS.get(job.payload.kind)(job.payload, workspace, job.resources)


def recall(job: Job, workspace: Workspace, device: Device | None = None) -> Result | None:
    """The journal's result of a job, unless there is none or what it speaks of is gone.

    A capture is always looked for again: its receipt says nothing about the features on this disk.

    Args:
        job: What is to be done.
        workspace: Whose journal is asked.
        device: Fingerprint of the device that would measure; by default that of this machine's. What another one
            measured under the same name, perhaps before an update, is not taken.
    """
    if isinstance(job.payload, CaptureFeatures):
        return None
    if isinstance(job.payload, Measure):
        return _recall_latency(job.payload, workspace, device or present_device(job.payload))
    found = (_recall(key, workspace) for key in job.payload.keys)
    return next((result for result in found if result is not None), None)


def present_device(payload: Measure) -> Device | None:
    """Fingerprint of the device that a payload takes, as this machine has it; None when it has none."""
    from nas.estimation.devices import DEVICES

    if payload.device not in DEVICES or DEVICES.get(payload.device).absence():
        return None
    return DEVICES.get(payload.device).describe(payload.protocol)


def _recall_latency(payload: Measure, workspace: Workspace, device: Device | None) -> Result | None:
    keys = payload.keys if device is None else (payload.key_on(device), *payload.keys)
    for result in (_recall(key, workspace) for key in keys):
        if isinstance(result, LatencyMeasurement) and device in (None, result.device):
            return result
    return None


def _recall(key: str, workspace: Workspace) -> Result | None:
    stored = workspace.journal.recall(key)
    if stored is None:
        return None
    try:
        result = RESULT.validate_json(stored)
    except ValidationError:
        return None
    artifact = _artifact_of(result)
    return result if not artifact or artifact in workspace.artifacts else None


def _artifact_of(result: Result) -> str:
    """Digest of what a result speaks of; empty if it says everything itself."""
    match result:
        case LibraryEntry(weights=digest) | ExportedNetwork(artifact=digest) | TrainedNetwork(artifact=digest):
            return digest
    return ""


@RUNS.register("capture")
def _capture(payload: CaptureFeatures, workspace: Workspace, resources: Resources) -> FeatureSet:
    from nas.estimation.supplies import ensure_features, warm_teacher

    return ensure_features(warm_teacher(payload.teacher, device_of(resources)), payload, workspace)


@RUNS.register("floor")
def _floor(payload: CountFloor, workspace: Workspace, resources: Resources) -> NetworkFloor:
    from nas.estimation.cost import count_floor
    from nas.estimation.latency import network_inputs
    from nas.estimation.supplies import warm_teacher

    del workspace, resources
    teacher = warm_teacher(payload.teacher, _cpu())
    inputs = network_inputs(teacher, payload.calibration, 1)
    return NetworkFloor(cost=count_floor(teacher.denoiser, inputs["sample"]))


@RUNS.register("distill")
def _distill(payload: DistillBlock, workspace: Workspace, resources: Resources) -> LibraryEntry:
    from nas.estimation.distill import distill
    from nas.estimation.supplies import on_features, warm_teacher

    device = device_of(resources)
    teacher = warm_teacher(payload.teacher, device)
    return on_features(
        teacher,
        payload,
        workspace,
        lambda features: distill(
            teacher.denoiser, features, payload, workspace.artifacts, workspace.scratch, device=device
        ),
    )


@RUNS.register("measure_block")
def _measure_block(payload: MeasureBlock, workspace: Workspace, resources: Resources) -> LatencyMeasurement:
    from nas.estimation.latency import measure_block
    from nas.estimation.supplies import warm_teacher

    del workspace, resources
    return measure_block(warm_teacher(payload.teacher, _cpu()), payload)


@RUNS.register("measure_network")
def _measure_network(payload: MeasureNetwork, workspace: Workspace, resources: Resources) -> LatencyMeasurement:
    from nas.estimation.latency import measure_network
    from nas.estimation.supplies import warm_teacher

    del workspace, resources
    return measure_network(warm_teacher(payload.teacher, _cpu()), payload)


@RUNS.register("evaluate")
def _evaluate(payload: EvaluateArchitecture, workspace: Workspace, resources: Resources) -> Evaluation:
    from nas.estimation.evaluate import evaluate
    from nas.estimation.supplies import on_features, warm_teacher

    teacher = warm_teacher(payload.teacher, device_of(resources))
    return on_features(
        teacher, payload, workspace, lambda features: evaluate(teacher, features, payload, workspace.artifacts)
    )


def device_of(resources: Resources) -> torch.device:
    """A GPU if the job was given one; sets the number of CPU threads the job may use."""
    import torch

    torch.set_num_threads(math.ceil(resources.cpus))
    return torch.device("cuda" if resources.gpus > 0 and torch.cuda.is_available() else "cpu")


def _cpu() -> torch.device:
    """Where modules are exported from and counted."""
    import torch

    return torch.device("cpu")
