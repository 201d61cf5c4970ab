"""Asks a search about itself: which architecture to take, and which one, were the bounds others.

Everything is computed from measurements that are there. Response models do not depend on bounds, so they
are fitted once and answer any number of questions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nas.domain.metric import is_exact
from nas.domain.objective import OutcomeConstraint, Problem
from nas.strategy.base import Strategy, StrategyContext
from nas.strategy.bayesian import BayesianSearch, undisturbed
from nas.strategy.evidence import Evidence
from nas.strategy.fitted import FittedResponse
from nas.strategy.outlook import Beliefs, Outlook

LEAST_POINTS = 3
"""Values of a metric below which a model would be a guess."""
_INTERVAL = 1.959964
_MISSES = 3

Document = dict[str, Any]


class Insight:
    """A search's evidence and the models fitted to it. Not for several threads at once.

    Args:
        context: Space, prices, and the problem in force.
        evidence: All trials.
    """

    def __init__(self, context: StrategyContext, evidence: Evidence) -> None:
        self.context = context
        self.evidence = evidence
        self._fitted: dict[tuple[str, bytes], FittedResponse] = {}

    @classmethod
    def of(cls, strategy: Strategy) -> Insight:
        """Of any strategy, as it was last updated; those that use no model are seen through one all the same."""
        return cls(strategy.context, Evidence.of(strategy))

    def outlook(self, problem: Problem | None = None) -> Outlook:
        """What is believed under a problem, by default the one in force. Call it `undisturbed`."""
        asked = problem or self.context.problem
        lens = BayesianSearch(replace(self.context, problem=asked))
        return Outlook(lens, self.evidence, self._models(lens))

    def recommend(self, problem: Problem | None = None) -> Document:
        """What to take under a problem, by default the one in force, as plain values.

        Returns:
            `recommended`: evaluated architectures that respect the bounds with a probability of at least one
            half given all measurements and their noise: the cheapest, or of two objectives the front;
            `luckiest`: the cheapest whose measured means respect them; `untried`: the candidate that
            would be recommended next; `nearest_misses` while no measured mean respects all bounds.

        Raises:
            SpecError: If a bound is on the latency of a device that was never timed.
        """
        with undisturbed():
            return recommendation(self.outlook(problem))

    def what_if(self, bounds: Mapping[str, float]) -> Document:
        """The recommendation if these bounds, on any metrics, were in force; see `rebound`."""
        return self.recommend(rebound(self.context.problem, bounds))

    def _models(self, lens: BayesianSearch) -> dict[str, FittedResponse]:
        _, judged = self.evidence.judged(lens.priced, lens.context.problem, rough=True)
        free, told = lens.free_stages, lens.telling(judged)
        enough = [metric for metric in lens.estimated if (told.means[metric] > 0).sum() >= LEAST_POINTS]
        if not free or not enough:
            return {}
        outcomes = lens.outcomes(told, free)
        models = {}
        for metric in enough:
            key = (metric, told.codes.tobytes())
            if key not in self._fitted:
                how: Any = outcomes[metric]
                self._fitted[key] = FittedResponse(
                    told.codes[:, free], told.means[metric], how.tables, how.noise_sd, how.noise_width
                )
            models[metric] = self._fitted[key]
        return models


def recommend(strategy: Strategy, problem: Problem | None = None) -> Document:
    """What to take by what a strategy was last told; see `Insight.recommend`."""
    return Insight.of(strategy).recommend(problem)


def what_if(strategy: Strategy, bounds: Mapping[str, float]) -> Document:
    """The same if these bounds were in force; see `rebound`."""
    return Insight.of(strategy).what_if(bounds)


def rebound(problem: Problem, bounds: Mapping[str, float]) -> Problem:
    """The problem with bounds added, or in the place of its own on the same metric; an infinite one takes it away."""
    merged = {bound.metric: bound.at_most for bound in problem.constraints} | dict(bounds)
    constraints = tuple(
        OutcomeConstraint(metric=metric, at_most=value) for metric, value in merged.items() if math.isfinite(value)
    )
    after: Problem = problem.evolve(constraints=constraints)
    return after


def recommendation(outlook: Outlook) -> Document:
    """An outlook as plain values."""
    problem, luckiest, untried = outlook.problem, outlook.luckiest, outlook.untried
    return {
        "objectives": list(problem.objectives),
        "bounds": {bound.metric: bound.at_most for bound in problem.constraints},
        "points": len(outlook.judged),
        "is_modelled": outlook.is_modelled,
        "recommended": [_evaluated(outlook, int(place)) for place in outlook.best],
        "luckiest": None if luckiest is None else _evaluated(outlook, luckiest),
        "untried": None if untried is None else _untried(outlook, untried),
        "nearest_misses": nearest_misses(outlook),
    }


def nearest_misses(outlook: Outlook) -> list[Document]:
    """While no measured mean respects all bounds: the nearest trials, and by what factor they exceed each bound."""
    judged = outlook.judged
    if not len(judged) or (judged.violation == 0).any():
        return []
    order = np.argsort(judged.violation, kind="stable")[:_MISSES]
    missed = []
    for place in order.tolist():
        factors = {
            bound.metric: float(judged.means[bound.metric][place] / bound.at_most)
            for bound in outlook.problem.constraints
        }
        exceeded = {metric: factor for metric, factor in factors.items() if factor > 1}
        missed.append({"trial": int(outlook.evidence.numbers[outlook.rows[place]]), "factors": exceeded})
    return missed


def _evaluated(outlook: Outlook, place: int) -> Document:
    judged = outlook.judged
    means = {metric: float(values[place]) for metric, values in judged.means.items()}
    trial = int(outlook.evidence.numbers[outlook.rows[place]])
    likely = float(outlook.likely[place])
    return _choice(outlook, judged.codes[place].tolist(), likely, outlook.evaluated, place, means) | {"trial": trial}


def _untried(outlook: Outlook, place: int) -> Document:
    codes = outlook.candidates[place].tolist()
    pending = outlook.evidence.codes[outlook.evidence.pending].tolist()
    likely = float(outlook.likely_candidates[place])
    return _choice(outlook, codes, likely, outlook.predicted, place, {}) | {"is_pending": codes in pending}


def _choice(
    outlook: Outlook, codes: list[int], likely: float, beliefs: Beliefs, place: int, measured: Mapping[str, float]
) -> Document:
    stages = outlook.lens.space.stages
    metrics: Document = {}
    for metric in outlook.problem.metrics:
        if is_exact(metric):
            value = float(beliefs.exact[metric][place])
            metrics[metric] = {"measured": value, "predicted": value, "low": value, "high": value}
            continue
        normal = beliefs.estimated[metric]
        mean, deviation = float(normal.mean[place]), float(normal.deviation[place])
        low, high = float(np.exp(mean - _INTERVAL * deviation)), float(np.exp(mean + _INTERVAL * deviation))
        metrics[metric] = {
            "measured": measured.get(metric),
            "predicted": float(np.exp(mean)),
            "low": low,
            "high": high,
        }
    architecture = {choices.stage: choices.variants[code] for choices, code in zip(stages, codes, strict=True)}
    return {"trial": None, "architecture": architecture, "probability": likely, "metrics": metrics}
