"""Our engine without one of its parts at a time: what each of them adds.

`blocksmith-without-warm-start` is the one method with a warm-up of its own: the original, what was bought, and random
architectures instead of the engine's points. Where costs are not known exactly, what single variants cost is still
known beforehand, as block losses are of a fidelity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks.search.methods import Codes, load_methods, register
from benchmarks.search.ours import Ours, variant
from nas.strategy.base import Strategy, StrategyContext, strategy_for
from nas.strategy.bayesian import BayesianSearch, Ingredients

if TYPE_CHECKING:
    from torch import Tensor

WHOLE = "blocksmith"


def ablations() -> list[str]:
    """The whole engine and what is left of it without each of its parts."""
    return [WHOLE, *(name for name, entry in load_methods().items() if entry.is_ablation)]


def engine_of(ingredients: Ingredients) -> Callable[[StrategyContext], Strategy]:
    """The strategy a user gets who names none, made of these ingredients."""

    def make(context: StrategyContext) -> Strategy:
        whole = strategy_for("auto", context.problem)
        assert issubclass(whole, BayesianSearch)
        reduced: type[Strategy] = type(whole.__name__, (whole,), {"ingredients": ingredients})
        return reduced(context)

    return make


class Trusting(Ours):
    """The engine that takes the most probable parameters of the response model's mean for granted."""

    def ask(self) -> Codes | None:
        """What to evaluate next, by a response model without doubt about its mean."""
        with without_doubt():
            return super().ask()


@contextmanager
def without_doubt() -> Iterator[None]:
    """Response models made meanwhile take the fitted mean for certain."""
    from nas.strategy import response
    from nas.strategy.prior import DoubtKernel

    class NoDoubt(DoubtKernel):
        def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **options: Any) -> Tensor:
            return super().forward(x1, x2, diag, **options) * 0.0

    names = vars(response)
    names["DoubtKernel"] = NoDoubt
    try:
        yield
    finally:
        names["DoubtKernel"] = DoubtKernel


def _leave_out(part: str, ingredients: Ingredients) -> None:
    at_random = not ingredients.warm_start
    variant(f"{WHOLE}-without-{part}", engine_of(ingredients), is_ablation=True, random_warm_up=at_random)


_leave_out("warm-start", Ingredients(warm_start=False))
_leave_out("exact-costs", Ingredients(exact_costs=False))
_leave_out("prior-mean", Ingredients(prior_mean=False))
register(f"{WHOLE}-without-doubt", Trusting, "ax", "botorch", is_ablation=True)
