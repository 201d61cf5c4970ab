"""The ε-constraint method: minimise one objective under upper bounds on other metrics."""

from __future__ import annotations

from dataclasses import replace

from nas.strategy.base import STRATEGIES, StrategyContext
from nas.strategy.bayesian import BayesianSearch


@STRATEGIES.register("epsilon_constraint")
class EpsilonConstraint(BayesianSearch):
    """One objective, any number of bounds (Haimes et al. 1971), by constrained noisy expected improvement.

    Given two objectives it minimises the first; bound the second to place the ε.
    """

    def __init__(self, context: StrategyContext) -> None:
        problem = context.problem
        super().__init__(replace(context, problem=problem.evolve(objectives=problem.objectives[:1])))
