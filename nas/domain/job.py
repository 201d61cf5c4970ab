"""Work for a worker: a payload that says everything, and what comes back.

A job is identified by the digest of its payload. Running it twice gives the same result, so a
finished job is never run again: workers keep a journal of results by key.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from nas.domain.adaptation import AdaptToRestoration, DistillOneStep, FineTune, PackRestorer, TrainedNetwork
from nas.domain.architecture import Architecture
from nas.domain.device import LatencyMeasurement
from nas.domain.library import Distillation, LibraryEntry, NetworkFloor
from nas.domain.metric import Measurement
from nas.domain.payload import Measure, Payload
from nas.domain.value import FrozenDict, Value, digest_of

LONGEST_LOG = 16 * 1024
"""Characters of a job's log that travel with its outcome."""


class CaptureFeatures(Payload):
    """Record inputs and outputs of every stage of the teacher, once."""

    kind: Literal["capture"] = "capture"


class CountFloor(Payload):
    """Count what every architecture pays: stem, time embedding, head."""

    kind: Literal["floor"] = "floor"


class DistillBlock(Payload):
    """Train one (stage, variant) alone on the captured features."""

    kind: Literal["distill"] = "distill"
    distillation: Distillation
    stage: str
    variant: str


class MeasureBlock(Measure):
    """Time one isolated (stage, variant) on a device. An empty stage is the floor: stem and head."""

    kind: Literal["measure_block"] = "measure_block"
    stage: str
    variant: str


class MeasureNetwork(Measure):
    """Time an assembled network on a device."""

    kind: Literal["measure_network"] = "measure_network"
    architecture: Architecture


class EvaluateArchitecture(Payload):
    """Assemble an architecture from distilled blocks and judge its fidelity on held-out latents.

    Attributes:
        weights: Artifact digest per stage whose variant has weights of its own.
        metrics: Fidelity metrics to compute.
        batch: Latents per forward pass.
        stop_beyond: Limits by metric. The evaluation ends as soon as one of them is clearly exceeded
            (`nas.domain.stopping`); empty to see every sample.
    """

    kind: Literal["evaluate"] = "evaluate"
    architecture: Architecture
    weights: FrozenDict[str, str]
    metrics: tuple[str, ...]
    batch: Annotated[int, Field(ge=1, le=4096)] = 16
    stop_beyond: FrozenDict[str, Annotated[float, Field(gt=0)]] = FrozenDict()

    @model_validator(mode="after")
    def _limits_are_measured(self) -> EvaluateArchitecture:
        strangers = sorted(set(self.stop_beyond) - set(self.metrics))
        if strangers:
            raise ValueError(f"stop_beyond names what is not measured: {', '.join(strangers)}")
        return self

    @property
    def whole(self) -> EvaluateArchitecture:
        """The same without limits: what it finds is valid under all of them."""
        unlimited: EvaluateArchitecture = self.evolve(stop_beyond=FrozenDict())
        return unlimited

    @property
    def keys(self) -> tuple[str, ...]:
        """That of the whole evaluation, then that of the limited one."""
        return (self.whole.key, self.key) if self.stop_beyond else (self.key,)

    @property
    def stopped_key(self) -> str:
        """Where searches find what was stopped under anybody's limits; whoever takes it has to check it."""
        return digest_of({**self.whole._identity(), "stopped": True})

    def key_of(self, result: Value) -> str:
        """That of the whole evaluation unless it was stopped: then only those with the same limits may take it."""
        return self.key if isinstance(result, Evaluation) and result.is_partial else self.whole.key

    def _identity(self) -> dict[str, Any]:
        document = super()._identity()
        if not self.stop_beyond:  # keys from before there were limits stay valid
            del document["stop_beyond"]
        return document


class ExportNetwork(Payload):
    """Put an architecture together and pack it: a diffusers folder with ONNX graph and report, as a zip.

    Attributes:
        weights: Artifact digest per stage whose variant has weights of its own.
        report: JSON object that becomes `report.json`; what only the packing can tell is added to it.
    """

    kind: Literal["export"] = "export"
    architecture: Architecture
    weights: FrozenDict[str, str]
    report: Annotated[str, Field(max_length=2**20)]


class FeatureSet(Value):
    """Receipt of a capture. The features themselves stay on disk, memory-mapped.

    Attributes:
        key: Key of the capture job; names the folder.
        size_bytes: Bytes on disk, known before the first one was written.
        samples: Distillation samples plus hold-out samples.
    """

    kind: Literal["feature_set"] = "feature_set"
    key: str
    size_bytes: int
    samples: int


class Evaluation(Value):
    """Measured metrics of one architecture under one protocol.

    Attributes:
        metrics: Everything measured, fidelity and cost.
        band_noise_mse: `noise_mse` per timestep band, early to late.
        stage_distances: Feature distance per stage, along the assembled network.
        share: Share of the hold-out samples that was seen; below 1 when the evaluation was stopped early.
    """

    kind: Literal["evaluation"] = "evaluation"
    metrics: FrozenDict[str, Measurement]
    band_noise_mse: tuple[float, ...] = ()
    stage_distances: FrozenDict[str, float] = FrozenDict()
    share: Annotated[float, Field(gt=0, le=1)] = 1.0

    @property
    def is_partial(self) -> bool:
        """Whether it was stopped before the last sample: it tells that a bound is broken, and no more."""
        return self.share < 1


class ExportedNetwork(Value):
    """A network packed for others.

    Attributes:
        artifact: Digest of the zip file.
        size_bytes: Its size.
    """

    kind: Literal["exported_network"] = "exported_network"
    artifact: str
    size_bytes: Annotated[int, Field(ge=0)]


AnyPayload = Annotated[
    CaptureFeatures
    | CountFloor
    | DistillBlock
    | MeasureBlock
    | MeasureNetwork
    | EvaluateArchitecture
    | ExportNetwork
    | FineTune
    | AdaptToRestoration
    | DistillOneStep
    | PackRestorer,
    Field(discriminator="kind"),
]
Result = Annotated[
    FeatureSet | NetworkFloor | LibraryEntry | LatencyMeasurement | Evaluation | ExportedNetwork | TrainedNetwork,
    Field(discriminator="kind"),
]


class Resources(Value):
    """What a job needs while it runs.

    Attributes:
        cpus: Also the number of torch threads the job gets, rounded up.
        gpus: Share of one GPU.
        memory_bytes: 0 means not accounted for.
    """

    cpus: Annotated[float, Field(gt=0, le=1024)] = 1.0
    gpus: Annotated[float, Field(ge=0, le=64)] = 0.0
    memory_bytes: Annotated[int, Field(ge=0)] = 0


class Job(Value):
    """A payload with the resources and the time it may take.

    Attributes:
        timeout_s: How long it may run.
        queue_timeout_s: How long a job that takes a device may wait for it; the wait does not count as running.
        search: Who asked first, for logs; like trial and attempt no part of the key.
        trial: Number of the trial; -1 for a job that belongs to none.
        attempt: Which attempt of the trial this is, from 1; 0 for a job without a trial.
    """

    payload: AnyPayload
    resources: Resources = Resources()
    timeout_s: Annotated[float, Field(gt=0)] = 3600.0
    queue_timeout_s: Annotated[float, Field(gt=0)] = 3600.0
    search: str = ""
    trial: int = -1
    attempt: int = 0

    @property
    def key(self) -> str:
        """The payload's key."""
        return self.payload.key

    @property
    def device(self) -> str:
        """Name of the device that it takes; empty for a job that takes none."""
        return self.payload.device if isinstance(self.payload, Measure) else ""


class Failure(Value):
    """Why a job gave no result.

    Attributes:
        code: Code of the error that was met.
        message: For the user, one or two sentences, no traceback.
        transient: Whether another attempt may succeed.
    """

    code: str
    message: str
    transient: bool


class Outcome(Value):
    """What became of one submitted job: exactly one of result and failure.

    Attributes:
        seconds: Wall time on the worker; 0 when the result came from the journal.
        peak_memory_bytes: Largest resident set of the worker process so far; 0 when unknown.
        log: The last that the job wrote to its worker's log, at most 16 KiB.
    """

    key: str
    result: Result | None = None
    failure: Failure | None = None
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    log: Annotated[str, Field(max_length=LONGEST_LOG)] = ""
