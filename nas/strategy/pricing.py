"""A search space as arrays: variant numbers priced by table look-up, whole spaces at once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from nas.domain.architecture import TEACHER_VARIANT, Architecture
from nas.domain.cost import ExactCosts
from nas.domain.metric import GMACS, TABLE_LATENCY
from nas.domain.search_space import SearchSpace
from nas.domain.value import FrozenDict
from nas.errors import Fault, SpecError
from nas.strategy.plausibility import log_odds

Codes = npt.NDArray[np.int16]
"""Variant numbers, `n x stages`."""
Prices = npt.NDArray[np.float64]


class PricedSpace:
    """Prices and block losses of a space, stage by stage.

    Exact metrics are sums over stages, so one look-up per stage prices any number of architectures. Where costs
    come from elsewhere (a benchmark's table), derive from this class: strategies ask for nothing else.
    """

    def __init__(self, space: SearchSpace, costs: ExactCosts) -> None:
        self.space = space
        self.costs = costs
        self.cardinalities = space.cardinalities
        self._tables: dict[str, tuple[float, list[Prices]]] = {}

    @property
    def teacher(self) -> tuple[int, ...] | None:
        """Variant numbers of the teacher itself, or None where the space leaves it out."""
        if any(TEACHER_VARIANT not in choices.variants for choices in self.space.stages):
            return None
        return self.space.encode(Architecture(choices=FrozenDict()))

    def holds(self, codes: Codes) -> npt.NDArray[np.bool_]:
        """Whether each combination of variants exists; here every one does."""
        return np.ones(len(codes), dtype=bool)

    @cached_property
    def block_losses(self) -> list[Prices]:
        """Block loss of every variant, stage by stage."""
        library = self.costs.library
        return [
            np.array([library.entry(choices.stage, variant).block_loss for variant in choices.variants])
            for choices in self.space.stages
        ]

    @cached_property
    def contributions(self) -> list[Prices]:
        """What each variant is thought to add to a fidelity loss: its block loss.

        Where no block loss is known, or none can be believed, the share of the multiplications that it saves: what
        is cheaper is seldom better, and a response model that knows the order of the variants needs fewer trials.
        """
        return self.block_losses if self.believes_block_losses else self.savings

    @property
    def knows_block_losses(self) -> bool:
        """Whether any variant has one."""
        return any(losses.any() for losses in self.block_losses)

    @cached_property
    def believes_block_losses(self) -> bool:
        """Whether block losses are known and more than an order by chance."""
        return self.knows_block_losses and log_odds(self.block_losses, self.savings) > 0

    @cached_property
    def savings(self) -> list[Prices]:
        """Share of all multiplications that each variant saves over the dearest of its stage."""
        prices = self.stage_prices(GMACS.name)
        whole = sum(float(one.max()) for one in prices) or 1.0
        return [(one.max() - one) / whole for one in prices]

    def prices(self, metric: str, codes: Codes) -> Prices:
        """An exact metric of `n` architectures, in the metric's unit."""
        base, table = self._table(metric)
        return base + sum_by_stage(table, codes)

    def stage_prices(self, metric: str) -> list[Prices]:
        """What each variant adds to an exact metric, over the cheapest variant of its stage."""
        return [prices - prices.min() for prices in self._table(metric)[1]]

    def least(self, metric: str) -> float:
        """Least attainable value of an exact metric, bounds aside."""
        base, table = self._table(metric)
        return base + sum(float(prices.min()) for prices in table)

    def has_table(self, metric: str) -> bool:
        """Whether the isolated latencies behind a table latency are known."""
        return self.costs.table(metric) is not None

    def _table(self, metric: str) -> tuple[float, list[Prices]]:
        if metric not in self._tables:
            self._tables[metric] = self._tabulate(metric)
        return self._tables[metric]

    def _tabulate(self, metric: str) -> tuple[float, list[Prices]]:
        if metric.startswith(TABLE_LATENCY.name) and not self.has_table(metric):
            raise SpecError((Fault("/latency", f"{metric} needs a device to be timed on"),))
        # From the first variant everywhere, not from the teacher: the space may leave the teacher out,
        # and then the library may too.
        origin = (0,) * len(self.cardinalities)
        base = self._price(metric, origin)
        table = [
            np.array([self._price(metric, (*origin[:s], v, *origin[s + 1 :])) - base for v in range(cardinality)])
            for s, cardinality in enumerate(self.cardinalities)
        ]
        return base, table

    def _price(self, metric: str, codes: tuple[int, ...]) -> float:
        return self.costs.of(self.space.decode(codes))[metric].mean


def sum_by_stage(table: list[Prices], codes: Codes) -> Prices:
    """Sum of the table's entries that `codes` choose, one number per row."""
    total = np.zeros(len(codes))
    for stage, prices in enumerate(table):
        total += prices[codes[:, stage]]
    return total
