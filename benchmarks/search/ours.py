"""Our own strategies as methods of the bench, through the interface the engine uses.

A variant of the engine is one line: `variant("blocksmith-NAME", …)`; those that leave out a part of it are in
`benchmarks.search.ablations`.
"""

# ruff: noqa: D102  # the base class says what each of them does

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.search.landscape import Measured
from benchmarks.search.methods import Codes, Method, Task, register
from benchmarks.search.prices import LandscapePrices
from nas.domain.job import Evaluation
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import GMACS, LATENCY, NOISE_MSE, Measurement
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.strategy.base import Strategy, StrategyContext, make_strategy

WARM_UP = 8
"""Evaluations of everybody's warm-up, the original included."""


def engine(context: StrategyContext) -> Strategy:
    """The strategy a user gets who names none."""
    return make_strategy("auto", context)


class Ours(Method):
    """A strategy of the project behind the bench's interface.

    Args:
        task: What to do.
        make: Makes the strategy.
        see: What the strategy gets to see of prices and block losses.
    """

    def __init__(
        self,
        task: Task,
        make: Callable[[StrategyContext], Strategy] = engine,
        see: Callable[[LandscapePrices], LandscapePrices] = lambda prices: prices,
    ) -> None:
        super().__init__(task)
        self.strategy = make(StrategyContext(see(task.prices), task.problem, task.seed, WARM_UP))
        self._told = 0

    def tell(self, codes: Codes, measured: Measured) -> None:
        architecture = self.task.prices.space.decode(codes)
        trial = Trial(
            search="bench",
            number=self._told,
            architecture=architecture,
            status=TrialStatus.COMPLETED,
            evaluation=_evaluation(measured),
        )
        self.strategy.tell([trial], ())
        self._told += 1

    def ask(self) -> Codes | None:
        suggestions = self.strategy.suggest(1)
        return self.task.prices.space.encode(suggestions[0].architecture) if suggestions else None


def _evaluation(measured: Measured) -> Evaluation:
    metrics = {
        GMACS.name: Measurement(mean=measured.cost, unit=GMACS.unit),
        NOISE_MSE.name: Measurement(mean=measured.loss, sem=measured.sem, samples=measured.samples),
    }
    if measured.latency is not None:
        metrics[LATENCY.name] = Measurement(mean=measured.latency, unit=LATENCY.unit)
    return Evaluation(metrics=FrozenDict(metrics), share=measured.share)


def variant(
    name: str,
    make: Callable[[StrategyContext], Strategy] = engine,
    see: Callable[[LandscapePrices], LandscapePrices] = lambda prices: prices,
    **traits: bool,
) -> None:
    """Register a variant of our engine: another strategy, options of the same, or less to see."""
    register(name, partial(Ours, make=make, see=see), "ax", "botorch", **traits)


variant("blocksmith")
variant(
    "blocksmith-without-block-losses",
    see=lambda prices: prices.without_block_losses(),
    needs_block_losses=True,
    is_ablation=True,
)
variant("blocksmith-early", stops_early=True)
register("random", partial(Ours, make=partial(make_strategy, "random")))
register("sobol", partial(Ours, make=partial(make_strategy, "sobol")), "botorch")
