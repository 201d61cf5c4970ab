"""Searches asked about themselves in a process that knows nothing of them: the question brings everything along."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from nas.domain.cost import ExactCosts
from nas.domain.objective import Problem
from nas.domain.search import Search
from nas.strategy.base import StrategyContext
from nas.strategy.bayesian import BayesianSearch
from nas.strategy.evidence import Evidence
from nas.strategy.pricing import PricedSpace

if TYPE_CHECKING:
    from nas.strategy.insight import Insight

_KEPT: Final = 4
"""Searches whose models are kept: each holds a few megabytes."""

Document = dict[str, Any]
About = Literal["health", "recommendation"]


def inquiry(search: Search, costs: ExactCosts, evidence: Evidence, about: About, problem: Problem) -> Document:
    """A question as plain values.

    Args:
        search: Under the bounds now in force.
        costs: Prices of its space.
        evidence: All its trials.
        about: What is asked.
        problem: What to recommend for, which need not be the problem in force.
    """
    return {
        "models": models_of(search, costs, evidence),
        "search": search.model_dump_json(),
        "costs": costs.model_dump_json(),
        "evidence": evidence.document(),
        "about": about,
        "problem": problem.model_dump_json(),
    }


def models_of(search: Search, costs: ExactCosts, evidence: Evidence) -> str:
    """What the fitted models of a search depend on, in one line: blocks that were made once never change."""
    return f"{search.id} {search.problem.digest} {len(costs.tables)} {evidence.digest}"


class Inquiries:
    """Answers inquiries. The models of the last few searches are kept, so that the next question is cheap.

    Making it imports Ax, which takes seconds. Not for several threads at once.
    """

    def __init__(self) -> None:
        BayesianSearch.load()
        self._kept: OrderedDict[str, Insight] = OrderedDict()

    def __call__(self, asked: Mapping[str, Any]) -> Document:
        """The health report or the recommendation, as plain values.

        Raises:
            SpecError: If a bound is on the latency of a device that was never timed.
        """
        from nas.strategy.health import report

        insight = self._insight(asked)
        if asked["about"] == "health":
            return report(insight)
        return insight.recommend(Problem.model_validate_json(asked["problem"]))

    def _insight(self, asked: Mapping[str, Any]) -> Insight:
        key = asked["models"]
        if key not in self._kept:
            self._kept[key] = _insight(asked)
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]


def _insight(asked: Mapping[str, Any]) -> Insight:
    from nas.strategy.insight import Insight

    search = Search.model_validate_json(asked["search"])
    context = StrategyContext(
        priced=PricedSpace(search.space, ExactCosts.model_validate_json(asked["costs"])),
        problem=search.problem,
        seed=search.spec.seed,
        initial_trials=search.spec.strategy.initial_trials,
    )
    return Insight(context, Evidence.of_document(asked["evidence"]))
