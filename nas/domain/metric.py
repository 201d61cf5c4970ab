"""What is measured about an architecture, and a measured value."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from nas.domain.value import Value

MetricName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class Metric(Value):
    """A named quantity. All metrics are minimised: less cost, less error.

    Attributes:
        name: Identifier; a plain word, because Ax parses metric names as expressions.
        unit: Unit as printed on axes ("1" for a pure number).
        kind: `exact` is a function of the architecture (params, MACs, table latency), never
            modelled; `estimated` carries sampling noise (fidelity, measured latency).
        meaning: One sentence for the catalogue.
    """

    name: MetricName
    unit: str
    kind: Literal["exact", "estimated"]
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False))
class Measurement:
    """A measured mean with its standard error.

    As strict as a `Value`, but with slots: every trial keeps half a dozen, at a third of the memory.

    Attributes:
        mean: In the metric's unit.
        sem: Standard error of the mean; 0 for exact metrics.
        samples: How many independent samples stand behind it; 1 for exact metrics.
        unit: Unit of `mean` and `sem`.
    """

    mean: float
    sem: Annotated[float, Field(ge=0)] = 0.0
    samples: Annotated[int, Field(ge=1)] = 1
    unit: str = "1"


PARAMS = Metric(name="params", unit="parameters", kind="exact", meaning="Parameters of the denoiser.")
GMACS = Metric(
    name="gmacs", unit="GMAC", kind="exact", meaning="Multiply-accumulates of one call, attention products counted."
)
GMACS_WITHOUT_ATTENTION_PRODUCTS = Metric(
    name="gmacs_without_attention_products",
    unit="GMAC",
    kind="exact",
    meaning="Multiply-accumulates of one call as published tables count them: without QK^T and AV.",
)
TABLE_LATENCY = Metric(
    name="table_latency_ms",
    unit="ms",
    kind="exact",
    meaning="Sum of the isolated (stage, variant) latencies on the device, plus the floor of stem and head.",
)
LATENCY = Metric(
    name="latency_ms", unit="ms", kind="estimated", meaning="Median latency of the assembled network on the device."
)
NOISE_MSE = Metric(
    name="noise_mse",
    unit="1",
    kind="estimated",
    meaning="Mean squared difference between the candidate's and the teacher's noise prediction (TOC-SR's f_acc).",
)
NOISE_MSE_RELATIVE = Metric(
    name="noise_mse_relative",
    unit="1",
    kind="estimated",
    meaning="noise_mse divided by the mean square of the teacher's own prediction.",
)
FEATURE_DISTANCE = Metric(
    name="feature_distance",
    unit="1",
    kind="estimated",
    meaning="Normalised squared distance of the stage outputs along the assembled network, averaged over stages.",
)

METRICS: tuple[Metric, ...] = (
    PARAMS,
    GMACS,
    GMACS_WITHOUT_ATTENTION_PRODUCTS,
    TABLE_LATENCY,
    LATENCY,
    NOISE_MSE,
    NOISE_MSE_RELATIVE,
    FEATURE_DISTANCE,
)
METRIC_BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}
EXACT_METRICS: tuple[str, ...] = tuple(metric.name for metric in METRICS if metric.kind == "exact")
FIDELITY_METRICS: tuple[str, ...] = (NOISE_MSE.name, NOISE_MSE_RELATIVE.name, FEATURE_DISTANCE.name)
LATENCIES: tuple[Metric, ...] = (TABLE_LATENCY, LATENCY)
"""The metrics that every device has its own of."""


def on_device(metric: Metric, device: str) -> Metric:
    """A latency on another device than the first one of a search: `table_latency_ms_ethos_u85`."""
    suffix = device.lower().replace("-", "_")
    named: Metric = metric.evolve(
        name=f"{metric.name}_{suffix}", meaning=metric.meaning.replace("the device", device)
    )
    return named


@cache
def metric_named(name: str) -> Metric | None:
    """The metric of a name, those of further devices included; None if there is none."""
    if name in METRIC_BY_NAME:
        return METRIC_BY_NAME[name]
    for metric in LATENCIES:
        if name.startswith(f"{metric.name}_"):
            return on_device(metric, name.removeprefix(f"{metric.name}_"))
    return None


def is_exact(name: str) -> bool:
    """Whether a metric is a function of the architecture; unknown ones are taken to be measured."""
    metric = metric_named(name)
    return metric is not None and metric.kind == "exact"
