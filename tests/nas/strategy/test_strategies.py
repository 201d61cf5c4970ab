"""What every registered strategy owes to the coordinator. A newcomer is tested by being registered."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from nas.domain.architecture import TEACHER_VARIANT, Architecture
from nas.domain.cost import ExactCosts
from nas.domain.job import Evaluation
from nas.domain.library import BlockCost, BlockLibrary, LibraryEntry
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import Measurement
from nas.domain.objective import OutcomeConstraint, Problem
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.trial import Trial
from nas.errors import UnknownName
from nas.strategy.base import STRATEGIES, Strategy, StrategyContext, make_strategy
from nas.strategy.pricing import PricedSpace
from tests.fakes.landscapes import MEDIUM, Landscape, finished, landscape, screened

TINY = landscape(3, (3, 2))
SMALL = landscape(1, MEDIUM)
BOUND = float(np.quantile(SMALL.losses, 0.05))
EPSILON = Problem(objectives=("gmacs",), constraints=(OutcomeConstraint(metric="noise_mse", at_most=BOUND),))
FRONT = Problem(objectives=("gmacs", "noise_mse"))

every_strategy = pytest.mark.parametrize("name", STRATEGIES.names())


def problem_of(name: str) -> Problem:
    return FRONT if name == "pareto" else EPSILON


def strategy(
    name: str, land: Landscape = SMALL, problem: Problem | None = None, seed: int = 0, initial: int = 6
) -> Strategy:
    return make_strategy(name, StrategyContext(land.priced, problem or problem_of(name), seed, initial))


def verdict(land: Landscape, number: int, architecture: Architecture, problem: Problem) -> Trial:
    """Mostly completed; every fourth trial abandoned or failed, without an evaluation."""
    if number % 4 == 2:
        status = TrialStatus.ABANDONED if number % 8 == 2 else TrialStatus.FAILED
        return finished(number, architecture, None, status)
    return finished(number, architecture, screened(land, architecture, problem), TrialStatus.COMPLETED)


def search(
    name: str, trials: int, together: int, land: Landscape = SMALL, problem: Problem | None = None
) -> list[Trial]:
    asked = problem or problem_of(name)
    proposer = strategy(name, land, asked)
    history: list[Trial] = []
    while len(history) < trials:
        proposer.tell(history, ())
        suggestions = proposer.suggest(together)
        if not suggestions:
            break
        for suggestion in suggestions:
            history.append(verdict(land, len(history), suggestion.architecture, asked))
    return history


def digests(architectures: Sequence[Architecture]) -> list[str]:
    return [architecture.digest for architecture in architectures]


@every_strategy
def test_the_teacher_comes_first(name: str) -> None:
    first = strategy(name).suggest(1)
    assert [suggestion.origin for suggestion in first] == ["teacher"]
    assert all(first[0].architecture.variant(choices.stage) == TEACHER_VARIANT for choices in SMALL.space.stages)


@every_strategy
def test_nothing_is_suggested_twice_whatever_became_of_it(name: str) -> None:
    trials = search(name, trials=22, together=4)
    tried = digests([trial.architecture for trial in trials])
    assert len(tried) == len(set(tried)) >= 22
    assert {trial.status for trial in trials} == {TrialStatus.COMPLETED, TrialStatus.ABANDONED, TrialStatus.FAILED}


@every_strategy
@pytest.mark.parametrize("bounded", [True, False])
def test_an_exhausted_space_is_a_clean_end(name: str, bounded: bool) -> None:
    problem = problem_of(name) if bounded else Problem(objectives=("gmacs",))
    trials = search(name, trials=50, together=2, land=TINY, problem=problem)
    assert len({trial.architecture.digest for trial in trials}) == TINY.space.size == 6


@every_strategy
def test_more_is_asked_for_than_there_is(name: str) -> None:
    proposer = strategy(name, TINY)
    assert len(proposer.suggest(20)) == 6


@every_strategy
def test_a_strategy_rebuilt_after_a_kill_goes_on_as_if_nothing_had_happened(name: str) -> None:
    trials = search(name, trials=12, together=6)
    pending = [SMALL.space.decode((1, 1, 0, 0, 0, 0, 1, 0, 0))]
    uninterrupted = strategy(name)
    for known in (6, 12):
        uninterrupted.tell(trials[:known], ())
        uninterrupted.suggest(2)
    uninterrupted.tell(trials, pending)
    rebuilt = strategy(name)
    shuffled = random.Random(0).sample(trials, len(trials))
    rebuilt.tell(shuffled, pending)
    assert rebuilt.suggest(3) == uninterrupted.suggest(3)


@every_strategy
def test_pending_architectures_are_respected(name: str) -> None:
    trials = search(name, trials=12, together=6)
    proposer = strategy(name)
    proposer.tell(trials, ())
    wanted = [suggestion.architecture for suggestion in proposer.suggest(3)]
    proposer.tell(trials, wanted)
    others = digests([suggestion.architecture for suggestion in proposer.suggest(3)])
    assert len(set(others)) == 3
    assert not set(others) & set(digests(wanted))


@every_strategy
def test_exact_bounds_are_never_broken_except_by_the_teacher(name: str) -> None:
    half = float(SMALL.gmacs.max()) / 2
    problem = problem_of(name)
    bounded = problem.evolve(constraints=(*problem.constraints, OutcomeConstraint(metric="gmacs", at_most=half)))
    teacher, *others = search(name, trials=18, together=4, problem=bounded)
    assert SMALL.costs.of(teacher.architecture)["gmacs"].mean > half
    assert len(others) >= 17
    assert all(SMALL.costs.of(trial.architecture)["gmacs"].mean <= half for trial in others)


@every_strategy
def test_a_bound_that_equals_a_price_admits_it(name: str) -> None:
    cheapest = SMALL.costs.tightest(SMALL.space, "gmacs")
    bounds = (OutcomeConstraint(metric="gmacs", at_most=cheapest),)
    proposer = strategy(name, problem=problem_of(name).evolve(constraints=bounds))
    architectures = [suggestion.architecture for suggestion in proposer.suggest(5)]
    assert [SMALL.costs.of(one)["gmacs"].mean for one in architectures[1:]] == [cheapest]


@every_strategy
def test_a_space_without_the_teacher_is_searched_too(name: str) -> None:
    stages = (StageChoices(stage="E1", variants=("v1",)), *SMALL.space.stages[1:])
    land = Landscape(SearchSpace(stages=stages), SMALL.costs, SMALL.losses, SMALL.gmacs)
    suggestions = strategy(name, land).suggest(4)
    assert all(suggestion.architecture in land.space for suggestion in suggestions)
    assert "teacher" not in {suggestion.origin for suggestion in suggestions}
    assert len(set(digests([suggestion.architecture for suggestion in suggestions]))) == 4


@every_strategy
def test_trials_without_fidelity_do_not_disturb(name: str) -> None:
    trials = [
        finished(n, one, Evaluation(metrics=SMALL.costs.of(one)), TrialStatus.COMPLETED)
        for n, one in enumerate(SMALL.space.sample(random.Random(n)) for n in range(10))
    ]
    proposer = strategy(name)
    proposer.tell(trials, ())
    assert len(proposer.suggest(4)) == 4


@every_strategy
def test_the_seed_decides_what_chance_leaves_open(name: str) -> None:
    if name in ("random", "sobol"):
        assert strategy(name, seed=1).suggest(5)[1:] != strategy(name, seed=2).suggest(5)[1:]
    assert strategy(name, seed=1).suggest(5) == strategy(name, seed=1).suggest(5)


@every_strategy
def test_spaces_beyond_enumeration_are_sampled_within_bounds(name: str) -> None:
    space, costs = wide_space()
    bound = costs.tightest(space, "gmacs") * 1.3
    constraints = (
        OutcomeConstraint(metric="gmacs", at_most=bound),
        OutcomeConstraint(metric="noise_mse", at_most=0.5),
    )
    problem = Problem(objectives=("params", "noise_mse")[: 1 + (name == "pareto")], constraints=constraints)
    proposer = make_strategy(name, StrategyContext(PricedSpace(space, costs), problem, 0, 6))
    history: list[Trial] = []
    for _ in range(3):
        proposer.tell(history, ())
        for suggestion in proposer.suggest(6):
            one = suggestion.architecture
            loss = sum(costs.library.entry(stage, one.variant(stage)).block_loss for stage in costs.stages)
            metrics = {**costs.of(one), "noise_mse": Measurement(mean=loss)}
            history.append(finished(len(history), one, Evaluation(metrics=metrics), TrialStatus.COMPLETED))
    tried = [trial.architecture for trial in history]
    assert len(set(digests(tried))) == 18
    assert all(costs.of(one)["gmacs"].mean <= bound for one in tried[1:])


def wide_space() -> tuple[SearchSpace, ExactCosts]:
    """12 stages of 8 variants: 6.9e10 architectures."""
    stages = tuple(StageChoices(stage=f"S{s}", variants=("teacher", *(f"v{v}" for v in range(7)))) for s in range(12))
    entries = {
        f"{choices.stage}/{variant}": LibraryEntry(
            key=f"{choices.stage}/{variant}",
            stage=choices.stage,
            variant=variant,
            cost=BlockCost(params=(8 - v) * 1000, macs=(s + 1) * (8 - v) * 10**9, attention_macs=0),
            block_loss=0.01 * v,
        )
        for s, choices in enumerate(stages)
        for v, variant in enumerate(choices.variants)
    }
    library = BlockLibrary(entries=entries, floor=BlockCost(params=0, macs=0, attention_macs=0))
    return SearchSpace(stages=stages), ExactCosts(stages=tuple(c.stage for c in stages), library=library)


def test_auto_chooses_by_the_number_of_objectives() -> None:
    assert type(strategy("auto", problem=EPSILON)) is STRATEGIES.get("epsilon_constraint")
    assert type(strategy("auto", problem=FRONT)) is STRATEGIES.get("pareto")


def test_an_unknown_strategy_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(UnknownName) as caught:
        strategy("epsilon_constrained")
    assert caught.value.nearest == "epsilon_constraint"


def test_importing_strategies_loads_no_heavy_library() -> None:
    heavy = "{'torch', 'ax', 'botorch', 'gpytorch', 'scipy'}"
    code = f"import sys, nas.strategy.base; assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
