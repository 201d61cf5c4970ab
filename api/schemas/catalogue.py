"""What a spec may say: names, devices, the schema itself."""

from __future__ import annotations

from typing import Any

from api.schemas.base import Document, example
from nas.domain.device_state import DeviceCondition


class StageOffer(Document):
    """Variants that a teacher offers at one stage, in the order of execution."""

    model_config = example(stage="E1", variants=["teacher", "RA", "R"])

    stage: str
    variants: list[str]


class MetricOffer(Document):
    """A metric that can be minimised or bounded."""

    model_config = example(
        name="params", unit="parameters", kind="exact", meaning="Parameters of the denoiser.", searchable=True
    )

    name: str
    unit: str
    kind: str
    meaning: str
    searchable: bool


class CatalogueDocument(Document):
    """Everything a spec may name.

    Attributes:
        reference_stages: Stages and variants of the reference teacher.
    """

    model_config = example(
        metrics=[
            {"name": "params", "unit": "parameters", "kind": "exact", "meaning": "Parameters.", "searchable": True}
        ],
        strategies={"epsilon_constraint": "Least cost within the bounds."},
        devices={"host": "This machine's CPU."},
        teacher_families={"unet2d": "U-Nets of diffusers."},
        block_families={"unit_removal": "Keeps some of the units."},
        reference_stages=[{"stage": "E1", "variants": ["teacher", "RA", "R"]}],
    )

    metrics: list[MetricOffer]
    strategies: dict[str, str]
    devices: dict[str, str]
    teacher_families: dict[str, str]
    block_families: dict[str, str]
    reference_stages: list[StageOffer]


_DEVICE = {
    "device": "host",
    "meaning": "This machine's CPU, through ONNX Runtime.",
    "state": "busy",
    "since": 1767225600.0,
    "backend": "onnxruntime",
    "kind": "measured",
    "runtime": "onnxruntime 1.31.0",
    "fingerprint": "3f" * 32,
    "labels": {"room": "lab 2"},
    "worker": "bench-1:4711",
    "canary_ms": 1.31,
    "baseline_ms": 1.3,
    "reason": "",
}


class DeviceDocument(Document):
    """A device that can be timed, and how it stands.

    Attributes:
        meaning: Of a registered device; empty for a name that only a worker gave.
        state: `absent` when nobody offers it now; its jobs wait.
        since: Unix time since which it is in this state; null when no coordinator has looked yet.
        backend: What measures it; this and the next three are empty before it was first seen.
        kind: Whether a clock ran on the device, a compiler estimated, or a model predicted.
        fingerprint: Two devices with equal fingerprints are interchangeable.
        labels: What its owner said of it.
        worker: Host and process that offer it.
        canary_ms: Last latency of a network that never changes.
        baseline_ms: The same on arrival.
        reason: Why it is in this state, or what should be known of it.
    """

    model_config = example(**_DEVICE)

    device: str
    meaning: str
    state: DeviceCondition
    since: float | None
    backend: str
    kind: str
    runtime: str
    fingerprint: str
    labels: dict[str, str]
    worker: str
    canary_ms: float | None
    baseline_ms: float | None
    reason: str


class DeviceList(Document):
    """Devices that a spec may name."""

    model_config = example(items=[_DEVICE])

    items: list[DeviceDocument]


class SpecSchema(Document):
    """JSON Schema of a spec, with specs that are valid as they stand."""

    model_config = example(json_schema={"type": "object"}, examples=[{"name": "my-search"}])

    json_schema: dict[str, Any]
    examples: list[dict[str, Any]]
