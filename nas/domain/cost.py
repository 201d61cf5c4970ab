"""Exact cost of an architecture: a sum over the block library, never a model's guess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median

from nas.domain.architecture import Architecture
from nas.domain.device import LatencyMeasurement
from nas.domain.library import BlockCost, BlockLibrary
from nas.domain.metric import GMACS, GMACS_WITHOUT_ATTENTION_PRODUCTS, PARAMS, TABLE_LATENCY, Measurement
from nas.domain.search_space import SearchSpace
from nas.domain.value import FrozenDict, Value


class LatencyTable(Value):
    """Isolated latencies of one device, in milliseconds, by `stage/variant`, plus the floor.

    Attributes:
        metric: Name of the table latency that it gives.
        canary_ms: What the canary takes on the machine that all these latencies are steadied to; 0 without one.
    """

    device: str
    blocks_ms: FrozenDict[str, float]
    floor_ms: float
    metric: str = TABLE_LATENCY.name
    canary_ms: float = 0.0

    @classmethod
    def of(cls, metric: str, floor: LatencyMeasurement, blocks: Mapping[str, LatencyMeasurement]) -> LatencyTable:
        """The table of one device's measurements.

        All are told as on one machine: the one on which the canary takes what it took in the middle one of them.

        Args:
            metric: Name of the table latency that it gives.
            floor: Stem and head.
            blocks: By `stage/variant`.
        """
        canaries = [one.canary_ms for one in (floor, *blocks.values()) if one.canary_ms]
        canary_ms = median([median(samples) for samples in canaries]) if canaries else 0.0
        return cls(
            device=floor.device.name,
            blocks_ms=FrozenDict({place: one.steadied_ms(canary_ms) for place, one in blocks.items()}),
            floor_ms=floor.steadied_ms(canary_ms),
            metric=metric,
            canary_ms=canary_ms,
        )

    def total_ms(self, variants: Iterable[tuple[str, str]]) -> float:
        """Sum over (stage, variant) pairs, plus the floor."""
        return self.floor_ms + sum(self.blocks_ms[f"{stage}/{variant}"] for stage, variant in variants)


class ExactCosts(Value):
    """Prices any architecture of a space at once.

    Additive because resamplers belong to stages: each encoder stage begins with its own
    downsampler, each decoder stage ends with its own upsampler, and a removed stage has neither.

    Attributes:
        stages: Every stage of the teacher, searched or not.
        tables: One per device, the search's first device first.
    """

    stages: tuple[str, ...]
    library: BlockLibrary
    tables: tuple[LatencyTable, ...] = ()

    def of(self, architecture: Architecture) -> FrozenDict[str, Measurement]:
        """All exact metrics of an architecture."""
        blocks = [self.library.entry(stage, architecture.variant(stage)).cost for stage in self.stages]
        total = _sum([self.library.floor, *blocks])
        metrics = {
            PARAMS.name: Measurement(mean=float(total.params), unit=PARAMS.unit),
            GMACS.name: Measurement(mean=total.macs / 1e9, unit=GMACS.unit),
            GMACS_WITHOUT_ATTENTION_PRODUCTS.name: Measurement(
                mean=(total.macs - total.attention_macs) / 1e9, unit=GMACS_WITHOUT_ATTENTION_PRODUCTS.unit
            ),
        }
        chosen = [(stage, architecture.variant(stage)) for stage in self.stages] if self.tables else []
        for table in self.tables:
            metrics[table.metric] = Measurement(mean=table.total_ms(chosen), unit=TABLE_LATENCY.unit)
        return FrozenDict(metrics)

    def table(self, metric: str = TABLE_LATENCY.name) -> LatencyTable | None:
        """The table behind a table latency, or None."""
        return next((table for table in self.tables if table.metric == metric), None)

    def tightest(self, space: SearchSpace, metric: str) -> float:
        """Least attainable value of an exact metric over a space.

        Exact metrics are sums over stages, so the least is taken stage by stage.
        """
        cheapest: dict[str, str] = {}
        for choices in space.stages:
            prices = {
                variant: self.of(Architecture(choices=FrozenDict({choices.stage: variant})))[metric].mean
                for variant in choices.variants
            }
            cheapest[choices.stage] = min(prices, key=lambda variant: prices[variant])
        return self.of(Architecture(choices=FrozenDict(cheapest)))[metric].mean


def _sum(costs: list[BlockCost]) -> BlockCost:
    return BlockCost(
        params=sum(cost.params for cost in costs),
        macs=sum(cost.macs for cost in costs),
        attention_macs=sum(cost.attention_macs for cost in costs),
    )
