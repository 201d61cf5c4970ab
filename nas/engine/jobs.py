"""The jobs a search consists of, as functions of its spec: the one place where job keys come from."""

from __future__ import annotations

from collections.abc import Sequence

from nas.domain.architecture import TEACHER_VARIANT, Architecture
from nas.domain.device import LatencyMeasurement
from nas.domain.job import (
    CaptureFeatures,
    CountFloor,
    DistillBlock,
    EvaluateArchitecture,
    Job,
    MeasureBlock,
    MeasureNetwork,
)
from nas.domain.library import BlockLibrary
from nas.domain.search import LatencySpec, SearchSpec
from nas.domain.value import FrozenDict
from nas.ports import LibraryRepository

NO_LIMITS: FrozenDict[str, float] = FrozenDict()
DISTILLATION_TIMEOUT_S = 6 * 3600.0
"""Guards against a hanging worker only: a distillation that is cut off resumes from its checkpoint."""


def capture_job(spec: SearchSpec) -> Job:
    """Record the teacher's features."""
    payload = CaptureFeatures(teacher=spec.teacher, calibration=spec.calibration)
    return Job(payload=payload, resources=spec.resources, timeout_s=DISTILLATION_TIMEOUT_S)


def floor_job(spec: SearchSpec) -> Job:
    """Count stem, time embedding and head."""
    payload = CountFloor(teacher=spec.teacher, calibration=spec.calibration)
    return Job(payload=payload, resources=spec.resources, timeout_s=spec.trial_timeout_s)


def distillation_job(spec: SearchSpec, stage: str, variant: str) -> Job:
    """Train one block; for the teacher's own variant, count it."""
    payload = DistillBlock(
        teacher=spec.teacher,
        calibration=spec.calibration,
        distillation=spec.distillation,
        stage=stage,
        variant=variant,
    )
    return Job(payload=payload, resources=spec.resources, timeout_s=DISTILLATION_TIMEOUT_S)


def block_latency_job(spec: SearchSpec, latency: LatencySpec, stage: str, variant: str) -> Job:
    """Time one isolated block; an empty stage is the floor."""
    payload = MeasureBlock(
        teacher=spec.teacher,
        calibration=spec.calibration,
        stage=stage,
        variant=variant,
        device=latency.device,
        protocol=latency.protocol,
    )
    return _measurement(spec, latency, payload)


def network_latency_job(spec: SearchSpec, latency: LatencySpec, architecture: Architecture) -> Job:
    """Time one assembled network."""
    payload = MeasureNetwork(
        teacher=spec.teacher,
        calibration=spec.calibration,
        architecture=_without_teacher_variants(architecture),
        device=latency.device,
        protocol=latency.protocol,
    )
    return _measurement(spec, latency, payload)


def evaluation_job(
    spec: SearchSpec,
    library: BlockLibrary,
    architecture: Architecture,
    stop_beyond: FrozenDict[str, float] = NO_LIMITS,
) -> Job:
    """Judge the fidelity of one architecture.

    Stages that keep the teacher's block are left out, so that searches over different spaces share
    their evaluations.

    Args:
        spec: What was asked.
        library: Knows the weights of every block.
        architecture: The architecture to judge.
        stop_beyond: Limits that end the evaluation early; empty for a whole one.
    """
    replaced = _without_teacher_variants(architecture)
    weights = {stage: library.entry(stage, variant).weights for stage, variant in replaced.choices.items()}
    payload = EvaluateArchitecture(
        teacher=spec.teacher,
        calibration=spec.calibration,
        architecture=replaced,
        weights=FrozenDict({stage: digest for stage, digest in weights.items() if digest}),
        metrics=spec.fidelity.metrics,
        batch=spec.fidelity.batch,
        stop_beyond=stop_beyond,
    )
    return Job(payload=payload, resources=spec.resources, timeout_s=spec.trial_timeout_s)


def network_latency(
    known: LibraryRepository, spec: SearchSpec, latency: LatencySpec, architecture: Architecture
) -> LatencyMeasurement | None:
    """Measured latency of an assembled network, or None when it was not (yet) measured."""
    return known.latency(network_latency_job(spec, latency, architecture).key)


def network_latencies(
    known: LibraryRepository, spec: SearchSpec, latency: LatencySpec, architectures: Sequence[Architecture]
) -> Sequence[LatencyMeasurement | None]:
    """Measured latencies of many assembled networks, each None when it was not (yet) measured."""
    keys = [network_latency_job(spec, latency, architecture).key for architecture in architectures]
    found = known.latencies(keys)
    return [found.get(key) for key in keys]


def _measurement(spec: SearchSpec, latency: LatencySpec, payload: MeasureBlock | MeasureNetwork) -> Job:
    return Job(
        payload=payload,
        resources=spec.resources,
        timeout_s=latency.protocol.timeout_s,
        queue_timeout_s=latency.queue_timeout_s,
    )


def _without_teacher_variants(architecture: Architecture) -> Architecture:
    replaced = {stage: variant for stage, variant in architecture.choices.items() if variant != TEACHER_VARIANT}
    return Architecture(choices=FrozenDict(dict(sorted(replaced.items()))))
