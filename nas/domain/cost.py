"""Exact cost of an architecture: a sum over the block library, never a model's guess."""

from __future__ import annotations

from nas.domain.architecture import Architecture
from nas.domain.library import BlockCost, BlockLibrary
from nas.domain.metric import GMACS, GMACS_WITHOUT_ATTENTION_PRODUCTS, PARAMS, TABLE_LATENCY, Measurement
from nas.domain.search_space import SearchSpace
from nas.domain.value import FrozenDict, Value


class LatencyTable(Value):
    """Isolated latencies of one device, in milliseconds, by `stage/variant`, plus the floor."""

    device: str
    blocks_ms: FrozenDict[str, float]
    floor_ms: float


class ExactCosts(Value):
    """Prices any architecture of a space at once.

    Additive because resamplers belong to stages: each encoder stage begins with its own
    downsampler, each decoder stage ends with its own upsampler, and a removed stage has neither.

    Attributes:
        stages: Every stage of the teacher, searched or not.
    """

    stages: tuple[str, ...]
    library: BlockLibrary
    table: LatencyTable | None = None

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
        if self.table is not None:
            milliseconds = self.table.floor_ms + sum(
                self.table.blocks_ms[f"{stage}/{architecture.variant(stage)}"] for stage in self.stages
            )
            metrics[TABLE_LATENCY.name] = Measurement(mean=milliseconds, unit=TABLE_LATENCY.unit)
        return FrozenDict(metrics)

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
