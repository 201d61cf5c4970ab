"""What a spec may say: names, devices, the schema itself."""

from __future__ import annotations

from typing import Any

from api.schemas.base import Document, example


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


class DeviceDocument(Document):
    """A device that can be timed."""

    model_config = example(device="host", meaning="This machine's CPU, through ONNX Runtime.")

    device: str
    meaning: str


class DeviceList(Document):
    """Devices that a spec may name."""

    model_config = example(items=[{"device": "host", "meaning": "This machine's CPU, through ONNX Runtime."}])

    items: list[DeviceDocument]


class SpecSchema(Document):
    """JSON Schema of a spec, with specs that are valid as they stand."""

    model_config = example(json_schema={"type": "object"}, examples=[{"name": "my-search"}])

    json_schema: dict[str, Any]
    examples: list[dict[str, Any]]
