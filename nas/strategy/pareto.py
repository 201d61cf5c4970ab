"""The Pareto front of two objectives, within bounds."""

from __future__ import annotations

from nas.strategy.base import STRATEGIES
from nas.strategy.bayesian import BayesianSearch


@STRATEGIES.register("pareto")
class ParetoSearch(BayesianSearch):
    """Two objectives by noisy expected hypervolume improvement; with one it equals the ε-constraint method."""
