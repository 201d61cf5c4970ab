"""Block losses are believed unless their order speaks against it."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest

from nas.domain.cost import ExactCosts
from nas.domain.lifecycle import TrialStatus
from nas.domain.objective import OutcomeConstraint, Problem
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.strategy import plausibility
from nas.strategy.base import StrategyContext, make_strategy
from nas.strategy.health import health
from nas.strategy.plausibility import log_odds
from nas.strategy.pricing import PricedSpace
from tests.fakes.landscapes import MEDIUM, finished, landscape

SAVINGS = [np.array([0.0, 1.0, 2.0, 3.0])] * 3 + [np.arange(8.0)] * 3

LAND = landscape(1, MEDIUM)
PROBLEM = Problem(
    objectives=("gmacs",),
    constraints=(OutcomeConstraint(metric="noise_mse", at_most=float(np.quantile(LAND.losses, 0.1))),),
)


def priced(order: Callable[[list[float]], list[float]]) -> PricedSpace:
    """The landscape's prices, with the block losses of each stage in another order; the teacher keeps its own."""
    library = LAND.costs.library
    entries = dict(library.entries)
    for choices in LAND.space.stages:
        found = [library.entry(choices.stage, variant) for variant in choices.variants[1:]]
        losses = order([entry.block_loss for entry in found])
        entries |= {entry.key: entry.evolve(block_loss=loss) for entry, loss in zip(found, losses, strict=True)}
    changed = library.evolve(entries=FrozenDict(entries))
    return PricedSpace(LAND.space, ExactCosts(stages=LAND.costs.stages, library=changed))


def searched(space: PricedSpace, trials: int) -> list[Trial]:
    strategy = make_strategy("auto", StrategyContext(space, PROBLEM, 0, 8))
    done: list[Trial] = []
    while len(done) < trials:
        strategy.tell(done, ())
        (suggestion,) = strategy.suggest(1)
        evaluation = LAND.evaluate(suggestion.architecture)
        done.append(finished(len(done), suggestion.architecture, evaluation, TrialStatus.COMPLETED))
    return done


def test_what_rises_with_the_savings_is_believed() -> None:
    assert log_odds([np.sqrt(saved) for saved in SAVINGS], SAVINGS) > 10


def test_of_shuffled_block_losses_hardly_any_are_believed() -> None:
    draw = np.random.default_rng(0)
    shuffled = [
        [np.concatenate([[0.0], draw.permutation(np.sqrt(saved[1:]))]) for saved in SAVINGS] for _ in range(200)
    ]
    assert sum(log_odds(losses, SAVINGS) > 0 for losses in shuffled) <= 2


def test_a_few_exchanges_among_many_do_not_matter() -> None:
    losses = [saved.copy() for saved in SAVINGS]
    for stage in losses:
        stage[[1, 2]] = stage[[2, 1]]
    assert log_odds(losses, SAVINGS) > 0


def test_one_exchanged_pair_is_too_little_to_disbelieve() -> None:
    assert log_odds([np.array([0.0, 2.0, 1.0])], [np.array([0.0, 1.0, 2.0])]) > 0


def test_without_pairs_nothing_speaks_against_block_losses() -> None:
    assert log_odds([np.array([0.0, 1.0])] * 9, [np.array([0.0, 1.0])] * 9) == pytest.approx(math.log(9))


def test_equal_savings_speak_half_for_either() -> None:
    saved = np.array([0.0, 1.0, 1.0])
    both = [log_odds([losses], [saved]) for losses in (np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0, 1.0]))]
    assert both[0] == both[1]
    ordered = log_odds([np.array([0.0, 1.0, 2.0])], [np.array([0.0, 1.0, 2.0])])
    exchanged = log_odds([np.array([0.0, 2.0, 1.0])], [np.array([0.0, 1.0, 2.0])])
    assert both[0] == pytest.approx((ordered + exchanged) / 2)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_probabilities_of_all_orders_sum_to_one(n: int) -> None:
    saved = np.arange(n + 1.0)
    chances = [
        math.exp(log_odds([np.array([0.0, *order])], [saved]) - plausibility._CREDIT) / math.factorial(n)
        for order in permutations(range(1, n + 1))
    ]
    assert sum(chances) == pytest.approx(1.0)


def test_implausible_block_losses_do_no_harm_a_search_goes_as_if_there_were_none() -> None:
    reversed_ones, none = priced(lambda losses: losses[::-1]), priced(lambda losses: [0.0] * len(losses))
    assert priced(lambda losses: losses).believes_block_losses
    assert reversed_ones.knows_block_losses
    assert not reversed_ones.believes_block_losses
    misled, ignorant = searched(reversed_ones, 14), searched(none, 14)
    assert [trial.architecture for trial in misled] == [trial.architecture for trial in ignorant]


def test_a_health_report_says_that_block_losses_are_not_used() -> None:
    told = {}
    for name, order in (("as they are", lambda losses: losses), ("reversed", lambda losses: losses[::-1])):
        strategy = make_strategy("auto", StrategyContext(priced(order), PROBLEM, 0, 8))
        told[name] = {one["code"] for one in health(strategy)["findings"]}
    assert told["reversed"] - told["as they are"] == {"implausible_block_losses"}
