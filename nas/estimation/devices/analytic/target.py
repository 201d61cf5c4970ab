"""A target: the few figures that make the analytic model one device. One YAML file is one device, no code.

Rates are what a unit reaches when it is fully occupied, not what a data sheet promises for another precision.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from nas.domain.device import Precision
from nas.domain.faults import faults_of
from nas.domain.value import FrozenDict, Value
from nas.errors import Fault, SpecError, nearest
from nas.estimation.devices.analytic.operators import OPERATORS

Rate = Annotated[float, Field(gt=0, le=1e18)]
Microseconds = Annotated[float, Field(ge=0, le=1e7)]
Granularity = Annotated[int, Field(ge=1, le=4096)]


class Granules(Value):
    """Sizes to which the array rounds up each side of a product; work that is smaller occupies it all the same."""

    positions: Granularity = 1
    reduction: Granularity = 1
    channels: Granularity = 1


class Fallback(Value):
    """The processor that runs what the device's own unit cannot.

    Attributes:
        switch_us: To hand a tensor over, each way.
    """

    macs_per_s: Rate
    vector_ops_per_s: Rate
    memory_bytes_per_s: Rate
    switch_us: Microseconds


class Calibration(Value):
    """Where a fitted target's rates come from.

    Attributes:
        prior: Name of the target that was fitted.
        device: What the measurements were taken on.
        precision: Of the measurements; rates of other precisions were scaled alike.
        samples: Number of measurements.
        cross_validated: Standard deviation of the log residuals on measurements left out; None when too few.
        note: What the reader must know, in words.
    """

    prior: str
    device: str
    precision: Precision
    samples: Annotated[int, Field(ge=1)]
    cross_validated: Annotated[float, Field(ge=0)] | None
    note: str


class Target(Value):
    """What the model knows of a device.

    Attributes:
        name: Under which it is registered.
        meaning: One sentence for the catalogue.
        soc: What the figures stand for.
        unit: What computes, in layer profiles.
        macs_per_s: Multiply-accumulates per second of the whole array, by precision.
        vector_ops_per_s: Of the vector unit, by the same precisions.
        memory_bytes_per_s: To and from the memory outside.
        sram_bytes: Memory inside; what does not fit travels.
        overlaps: Whether array and vector unit work at the same time.
        granules: Granularity of the array.
        fuses: Whether element-wise operators run together with their producer.
        launch_us: Of each group of operators that run together.
        inference_us: Of each call.
        supported: Operators that the unit runs; None is every operator the model knows.
        vector_costs: Vector operations per element where they differ from the model's; 0 makes movement free.
        fallback: Where unsupported operators run; None refuses them.
        relative_uncertainty: Standard deviation of the logarithm of (true over estimated) latency.
        sources: Where each figure comes from, by field name.
    """

    schema_version: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    meaning: Annotated[str, Field(min_length=1, max_length=500)]
    soc: Annotated[str, Field(min_length=1, max_length=200)]
    unit: Annotated[str, Field(min_length=1, max_length=40)] = "NPU"
    macs_per_s: Annotated[FrozenDict[Precision, Rate], Field(min_length=1)]
    vector_ops_per_s: FrozenDict[Precision, Rate]
    memory_bytes_per_s: Rate
    sram_bytes: Annotated[int, Field(ge=0, le=2**50)]
    overlaps: bool = True
    granules: Granules = Granules()
    fuses: bool = True
    launch_us: Microseconds
    inference_us: Microseconds
    supported: tuple[str, ...] | None = None
    vector_costs: FrozenDict[str, Annotated[float, Field(ge=0, le=1e6)]] = FrozenDict()
    fallback: Fallback | None = None
    relative_uncertainty: Annotated[float, Field(gt=0, le=3)]
    sources: FrozenDict[str, Annotated[str, Field(min_length=1)]]
    calibration: Calibration | None = None

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """What it can run."""
        return tuple(self.macs_per_s)

    def cost(self, operator: str) -> float:
        """Vector operations per element of an operator."""
        return self.vector_costs.get(operator, OPERATORS[operator].cost)

    @field_validator("macs_per_s")
    @classmethod
    def _some_rate(cls, rates: FrozenDict[Precision, Rate]) -> FrozenDict[Precision, Rate]:
        if not rates:
            raise ValueError("names no precision")
        return rates

    @model_validator(mode="after")
    def _precisions_agree(self) -> Target:
        if set(self.macs_per_s) != set(self.vector_ops_per_s):
            raise ValueError("macs_per_s and vector_ops_per_s name different precisions")
        return self


SOURCED = (
    "macs_per_s",
    "vector_ops_per_s",
    "memory_bytes_per_s",
    "sram_bytes",
    "granules",
    "launch_us",
    "inference_us",
)
"""Figures that nobody should have to believe without knowing who says so."""


def load_target(path: Path) -> Target:
    """Read a target.

    Raises:
        SpecError: With every fault of the file, each with a pointer and, where there is one, the nearest right value.
        NotFound: If there is no such file.
    """
    from nas.errors import NotFound

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(f"There is no target {path}.") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise SpecError((Fault("", f"{path.name} is no valid YAML: {_first_line(error)}"),)) from None
    if not isinstance(document, dict):
        raise SpecError((Fault("", f"{path.name} must be a mapping of fields to values"),))
    faults = list(_faults_of_names(document))
    target = None
    try:
        target = Target.model_validate_json(_as_json(document))
    except ValidationError as error:
        faults = [*faults_of(error, Target), *faults]
    if target is None or faults:
        raise SpecError(tuple(faults))
    return target


def write_target(target: Target, path: Path) -> None:
    """Write a target so that `load_target` reads the same again."""
    document = target.model_dump(mode="json", exclude_none=True)
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110), encoding="utf-8")


def _faults_of_names(document: dict[str, Any]) -> list[Fault]:
    """Operators that nobody knows, and figures without a source."""
    supported, costs = document.get("supported"), document.get("vector_costs")
    named = [
        (f"/supported/{place}", one) for place, one in enumerate(supported if isinstance(supported, list) else ())
    ]
    named += [(f"/vector_costs/{one}", one) for one in (costs if isinstance(costs, dict) else ())]
    faults = [
        Fault(where, f"is no operator that the model knows: {one}", nearest(str(one), OPERATORS))
        for where, one in named
        if one not in OPERATORS
    ]
    sources = document.get("sources")
    known = sources if isinstance(sources, dict) else {}
    faults += [Fault(f"/sources/{figure}", "is required: who says so?") for figure in SOURCED if figure not in known]
    faults += [
        Fault(f"/sources/{figure}", "is the source of no field", nearest(str(figure), Target.model_fields))
        for figure in known
        if figure not in Target.model_fields
    ]
    return faults


def _as_json(document: dict[str, Any]) -> str:
    import json

    return json.dumps(document, default=str)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
