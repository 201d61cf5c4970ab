"""Recommendations by the model: sure ones rather than lucky ones, and the same answers for other bounds."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from nas.domain.architecture import Architecture
from nas.domain.job import Evaluation
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import Measurement
from nas.domain.objective import OutcomeConstraint, Problem
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.strategy.base import STRATEGIES, Strategy, StrategyContext, make_strategy
from nas.strategy.bayesian import undisturbed
from nas.strategy.insight import Insight, recommend, what_if
from nas.strategy.remaining import remaining
from tests.fakes.landscapes import LARGE, MEDIUM, Landscape, finished, landscape, screened

LAND = landscape(1, MEDIUM)
BOUND = float(np.quantile(LAND.losses, 0.1))


def problem(bound: float = BOUND, **others: float) -> Problem:
    bounds = {"noise_mse": bound, **others}
    return Problem(
        objectives=("gmacs",),
        constraints=tuple(OutcomeConstraint(metric=metric, at_most=value) for metric, value in bounds.items()),
    )


FRONT = Problem(objectives=("gmacs", "noise_mse"))


def history(count: int, asked: Problem, land: Landscape = LAND, seed: int = 0) -> list[Trial]:
    rows = np.random.default_rng(seed).choice(len(land.losses), count, replace=False)
    return [tried(number, int(row), asked, land) for number, row in enumerate(rows)]


def tried(number: int, row: int, asked: Problem, land: Landscape = LAND) -> Trial:
    codes = np.unravel_index(row, land.space.cardinalities)
    architecture = land.space.decode(tuple(int(code) for code in codes))
    return finished(number, architecture, screened(land, architecture, asked), TrialStatus.COMPLETED)


def told(
    trials: Sequence[Trial],
    asked: Problem,
    land: Landscape = LAND,
    name: str = "auto",
    pending: Sequence[Architecture] = (),
) -> Strategy:
    strategy = make_strategy(name, StrategyContext(land.priced, asked, 0, 8))
    strategy.tell(trials, pending)
    return strategy


def cost_of(choice: dict[str, object], metric: str = "gmacs") -> float:
    return float(choice["metrics"][metric]["predicted"])  # type: ignore[index]  # plain values of a document


def test_without_noise_the_recommended_one_is_the_cheapest_feasible_one() -> None:
    trials = history(60, problem())
    answer = recommend(told(trials, problem()))
    cheapest = LAND.best_feasible(trials, BOUND)
    (chosen,) = answer["recommended"]
    assert chosen["trial"] == answer["luckiest"]["trial"]
    assert cost_of(chosen) == pytest.approx(cheapest)
    assert chosen["probability"] > 0.5
    assert answer["nearest_misses"] == []
    assert cost_of(answer["untried"]) < cheapest
    noise = answer["untried"]["metrics"]["noise_mse"]
    assert noise["measured"] is None
    assert noise["low"] < noise["predicted"] < noise["high"]


def test_under_noise_the_recommended_one_is_truly_feasible_more_often_than_the_luckiest() -> None:
    right = {"recommended": 0, "luckiest": 0}
    different = 0
    for seed in range(8):
        answer = recommend(told(scattered(history(80, problem(), seed=seed), seed), problem()))
        if not answer["recommended"] or answer["luckiest"] is None:
            continue
        picks = {"recommended": answer["recommended"][0], "luckiest": answer["luckiest"]}
        different += picks["recommended"]["trial"] != picks["luckiest"]["trial"]
        for how, pick in picks.items():
            architecture = Architecture(choices=FrozenDict(pick["architecture"]))
            right[how] += bool(LAND.losses[LAND.position(architecture)] <= BOUND)
    assert different >= 2
    assert right["recommended"] > right["luckiest"]


def scattered(trials: list[Trial], seed: int, scatter: float = 0.5) -> list[Trial]:
    """The same trials, badly measured; a standard error is taken to be shared for two thirds."""
    random = np.random.default_rng(seed)
    badly = []
    for trial in trials:
        value = float(LAND.losses[LAND.position(trial.architecture)] * np.exp(random.normal(0.0, scatter)))
        metrics = FrozenDict({"noise_mse": Measurement(mean=value, sem=3 * scatter * value)})
        badly.append(trial.evolve(evaluation=Evaluation(metrics=metrics)))
    return badly


@pytest.mark.parametrize(
    ("asked", "in_force"),
    [
        ({"noise_mse": 2 * BOUND}, {"noise_mse": 2 * BOUND}),
        ({"params": 7e8}, {"noise_mse": BOUND, "params": 7e8}),
        ({"noise_mse": float("inf"), "latency_ms": 11.0}, {"latency_ms": 11.0}),
    ],
)
def test_other_bounds_are_answered_as_a_search_with_these_bounds_would(
    asked: dict[str, float], in_force: dict[str, float]
) -> None:
    trials = history(50, problem())
    anew = Problem(
        objectives=("gmacs",), constraints=tuple(OutcomeConstraint(metric=m, at_most=v) for m, v in in_force.items())
    )
    assert what_if(told(trials, problem()), asked) == recommend(told(trials, anew))


def test_asking_changes_nothing() -> None:
    strategy = told(history(30, problem()), problem())
    insight = Insight.of(strategy)
    before = insight.recommend()
    insight.what_if({"noise_mse": 3 * BOUND})
    assert insight.recommend() == before
    assert strategy.suggest(1) == told(history(30, problem()), problem()).suggest(1)


@pytest.mark.slow
def test_what_if_takes_less_than_a_second_at_300_trials() -> None:
    land = landscape(1, LARGE, 0.03)
    bound = float(np.quantile(land.losses, 0.05))
    insight = Insight.of(told(history(300, problem(bound), land), problem(bound), land))
    insight.recommend()
    started = time.process_time()
    answer = insight.what_if({"noise_mse": 1.5 * bound})
    assert time.process_time() - started < 1.0
    assert answer["bounds"] == {"noise_mse": 1.5 * bound}


def test_of_two_objectives_the_front_is_recommended() -> None:
    trials = history(60, FRONT)
    answer = recommend(told(trials, FRONT))
    front = [(cost_of(choice), cost_of(choice, "noise_mse")) for choice in answer["recommended"]]
    assert len(front) > 3
    assert all(left[0] < right[0] and left[1] > right[1] for left, right in itertools.pairwise(front))
    assert answer["luckiest"] is None
    new = answer["untried"]["metrics"]
    point = (new["gmacs"]["predicted"], new["noise_mse"]["predicted"])
    assert not any(cost <= point[0] and loss <= point[1] for cost, loss in front)


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_every_strategy_can_be_asked(name: str) -> None:
    asked = FRONT if name == "pareto" else problem()
    answer = recommend(told(history(20, asked), asked, name=name))
    assert answer["is_modelled"]
    json.dumps(answer, allow_nan=False)


def test_what_is_pending_may_be_recommended_as_untried_and_is_marked() -> None:
    trials = history(40, problem())
    first = recommend(told(trials, problem()))["untried"]
    assert first["is_pending"] is False
    pending = [Architecture(choices=FrozenDict(first["architecture"]))]
    again = recommend(told(trials, problem(), pending=pending))["untried"]
    assert (again["architecture"], again["is_pending"]) == (first["architecture"], True)


def test_what_failed_for_good_is_never_recommended() -> None:
    trials = history(40, problem())
    first = recommend(told(trials, problem()))["untried"]
    broken = finished(40, Architecture(choices=FrozenDict(first["architecture"])), None, TrialStatus.ABANDONED)
    assert recommend(told([*trials, broken], problem()))["untried"]["architecture"] != first["architecture"]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_trials_are_answered_by_measurements_alone(count: int) -> None:
    loose = problem(float(LAND.losses.max()))
    answer = recommend(told(history(count, loose), loose))
    assert answer["is_modelled"] is False
    assert len(answer["recommended"]) == (1 if count else 0)
    assert answer["untried"] is None


def test_a_problem_of_exact_metrics_needs_no_model() -> None:
    asked = Problem(objectives=("gmacs",), constraints=(OutcomeConstraint(metric="params", at_most=4e8),))
    strategy = told(history(30, asked), asked)
    answer = recommend(strategy)
    codes = strategy.pool.everything()
    assert cost_of(answer["untried"]) == pytest.approx(float(strategy.priced.prices("gmacs", codes).min()))
    assert answer["untried"]["probability"] == 1.0


def test_a_metric_that_nobody_measured_leaves_nothing_to_say() -> None:
    answer = what_if(told(history(20, problem()), problem()), {"feature_distance": 0.1})
    assert (answer["points"], answer["recommended"], answer["untried"]) == (0, [], None)


def test_the_nearest_misses_tell_by_what_factor() -> None:
    tight = problem(float(LAND.losses[LAND.losses > 0].min()) / 2)
    trials = history(20, tight)
    misses = recommend(told(trials, tight))["nearest_misses"]
    nearest = min(trials, key=lambda trial: LAND.losses[LAND.position(trial.architecture)])
    factor = float(LAND.losses[LAND.position(nearest.architecture)] / tight.constraints[0].at_most)
    assert misses[0] == {"trial": nearest.number, "factors": {"noise_mse": pytest.approx(factor)}}
    assert [miss["factors"]["noise_mse"] for miss in misses] == sorted(
        miss["factors"]["noise_mse"] for miss in misses
    )


def left(strategy: Strategy) -> dict[str, object]:
    with undisturbed():
        answer = remaining(Insight.of(strategy).outlook())
    assert answer is not None
    return answer


def test_the_probability_that_something_better_remains_tells_when_it_does() -> None:
    seen: dict[bool, list[bool]] = {True: [], False: []}
    for seed in range(10):
        land = landscape(seed, (3, 3, 3, 2, 2))
        bound = float(np.quantile(land.losses, 0.2))
        trials = history(30, problem(bound), land, seed)
        answer = left(told(trials, problem(bound), land))
        chance = float(answer["probability"])  # type: ignore[arg-type]  # plain values of a document
        is_better = land.cheapest(bound) <= 0.99 * land.best_feasible(trials, bound)
        if chance < 0.1 or chance > 0.9:
            seen[chance > 0.5].append(is_better)
    assert seen[False]
    assert not any(seen[False])
    assert np.mean(seen[True]) > 0.7


@pytest.mark.parametrize("asked", [problem(), FRONT])
def test_nothing_remains_when_everything_was_evaluated(asked: Problem) -> None:
    tiny = landscape(3, (3, 2))
    answer = left(told(history(6, asked, tiny), asked, tiny))
    assert (answer["probability"], answer["candidates"]) == (0.0, 0)


def test_a_space_too_large_to_enumerate_is_sampled(large: Callable[[int], Strategy]) -> None:
    strategy = large(40)
    answer = recommend(strategy)
    assert left(strategy)["is_sampled"] is True
    assert len(answer["recommended"]) == 1
    assert answer["untried"] is None or cost_of(answer["untried"]) < cost_of(answer["recommended"][0])


@pytest.fixture
def large() -> Callable[[int], Strategy]:
    """A space of seventeen million architectures, judged by the plain sum of its block losses."""
    from nas.domain.cost import ExactCosts
    from nas.domain.library import BlockCost, BlockLibrary, LibraryEntry
    from nas.domain.search_space import SearchSpace, StageChoices
    from nas.strategy.pricing import PricedSpace, sum_by_stage

    names = [f"S{number}" for number in range(12)]
    variants = ("teacher", "a", "b", "c")
    random = np.random.default_rng(0)
    entries = {}
    for stage in names:
        for place, variant in enumerate(variants):
            macs = int(1e9 * (4 - place) * random.uniform(0.8, 1.2))
            cost = BlockCost(params=macs // 100, macs=macs, attention_macs=0)
            loss = place * random.uniform(0.01, 0.05)
            key = f"{stage}/{variant}"
            entries[key] = LibraryEntry(key=key, stage=stage, variant=variant, cost=cost, block_loss=loss)
    floor = BlockCost(params=1, macs=1, attention_macs=0)
    costs = ExactCosts(stages=tuple(names), library=BlockLibrary(entries=FrozenDict(entries), floor=floor))
    space = SearchSpace(stages=tuple(StageChoices(stage=stage, variants=variants) for stage in names))
    priced = PricedSpace(space, costs)

    def search(count: int) -> Strategy:
        codes = random.integers(0, 4, (count, 12)).astype(np.int16)
        losses = sum_by_stage(priced.block_losses, codes)
        strategy = make_strategy("auto", StrategyContext(priced, problem(float(np.quantile(losses, 0.2))), 0, 8))
        trials = []
        for number, (row, loss) in enumerate(zip(codes.tolist(), losses.tolist(), strict=True)):
            metrics = FrozenDict({"noise_mse": Measurement(mean=loss, sem=0.02 * loss)})
            architecture = space.decode(tuple(row))
            trials.append(finished(number, architecture, Evaluation(metrics=metrics), TrialStatus.COMPLETED))
        strategy.tell(trials, [])
        return strategy

    return search
