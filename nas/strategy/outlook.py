"""What is believed under one problem: who is feasible how surely, who is best, and what is worth trying."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nas.domain.metric import is_exact
from nas.domain.pareto import non_dominated
from nas.strategy.bayesian import BayesianSearch
from nas.strategy.evidence import Evidence
from nas.strategy.fitted import FittedResponse, Normal
from nas.strategy.pricing import Codes, Prices
from nas.strategy.seen import Seen, Tried

LIKELY = 0.5
"""Probability of feasibility from which on an architecture is recommended."""
_LEAST_DEVIATION = 0.01
_CERTAIN = 1e-9
_HARDLY, _SELDOM = 3.0, 2.0
"""Standard deviations by which a belief is hardly, or seldom, off: of a front one is asked for later anyway."""
_KEPT = 1000
"""The nearest to a bound are looked at closely however far they are."""
_PROMISING = 300
"""Candidates about which joint questions are asked: those that could gain most."""

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Beliefs:
    """Every metric of a problem at `n` architectures.

    Attributes:
        exact: Values of the exact metrics, `n` each.
        estimated: Beliefs about the logs of the others.
    """

    exact: dict[str, Prices]
    estimated: dict[str, Normal]

    def value(self, metric: str) -> Prices:
        """The exact value, or the median of what is believed, `n`."""
        return self.exact[metric] if metric in self.exact else np.exp(self.estimated[metric].mean)

    def optimistic(self, metric: str) -> Prices:
        """The exact value, or one standard deviation below the median, `n`."""
        if metric in self.exact:
            return self.exact[metric]
        return np.exp(self.estimated[metric].mean - self.estimated[metric].deviation)


class Outlook:
    """Beliefs about everything judged, and about candidates that could be better.

    Args:
        lens: A strategy for the problem in question; its own history is not looked at.
        evidence: All trials.
        models: A fitted model for each estimated metric of the problem that has enough data.
    """

    def __init__(self, lens: BayesianSearch, evidence: Evidence, models: Mapping[str, FittedResponse]) -> None:
        self.lens = lens
        self.problem = lens.context.problem
        self.evidence = evidence
        self.models = models
        self.rows, self.judged = evidence.judged(lens.priced, self.problem)
        self.told_rows, self.told = evidence.judged(lens.priced, self.problem, rough=True)

    @property
    def is_modelled(self) -> bool:
        """Whether every estimated metric has a model, so that untried architectures can be predicted."""
        return all(metric in self.models for metric in self.lens.estimated)

    @cached_property
    def evaluated(self) -> Beliefs:
        """Beliefs about the judged architectures, given all measurements and their noise."""
        judged = self.judged
        believed = self.believe(judged.codes)
        for metric in self.lens.estimated:
            measured = judged.means[metric]
            with np.errstate(divide="ignore", invalid="ignore"):
                alone = Normal(np.log(measured), np.maximum(judged.errors[metric] / measured, _LEAST_DEVIATION))
            model = believed.estimated.get(metric, alone)
            # Exactly zero (the teacher against itself) is no datum of a model, and certain.
            mean = np.where(measured > 0, model.mean, -np.inf)
            deviation = np.where(measured > 0, model.deviation, _CERTAIN)
            believed.estimated[metric] = Normal(mean, deviation)
        return believed

    @cached_property
    def likely(self) -> Prices:
        """Probability that each judged architecture respects every bound."""
        return self.probability(self.judged.codes, self.evaluated)

    @cached_property
    def best(self) -> Rows:
        """Judged architectures recommended by the model: the cheapest one, or the front; cheapest first."""
        return self._best_of(self.evaluated, self.likely)

    @cached_property
    def luckiest(self) -> int | None:
        """Of one objective, the best of the judged whose measured means respect every bound."""
        within = np.flatnonzero(self.judged.violation == 0)
        if self.problem.is_pareto or not len(within):
            return None
        return int(within[np.argmin(self.judged.means[self.problem.objectives[0]][within])])

    @cached_property
    def candidates(self) -> Codes:
        """Architectures without a value, within the exact bounds, that could be better; of a large space a sample.

        Of one exact objective, only what is cheaper than the recommended architecture; of estimated metrics,
        only what may conceivably respect their bounds, or add to the front.
        """
        lens, evidence = self.lens, self.evidence
        hopeless = evidence.codes[evidence.hopeless].tolist()
        done = Seen(Tried(lens.priced.cardinalities)) | (*self.judged.codes.tolist(), *hopeless)
        codes = lens.pool.unseen(done, lens.generator(done), lens.anchors(self.judged))
        first = self.problem.objectives[0]
        if not self.problem.is_pareto and is_exact(first) and len(self.best):
            codes = codes[lens.priced.prices(first, codes) < self.evaluated.exact[first][self.best[0]]]
        return codes[self._conceivable(codes)] if self.is_modelled else codes

    def _conceivable(self, codes: Codes) -> npt.NDArray[np.bool_]:
        """Which of them a first look leaves any hope; spares predicting what is far beyond bounds or front."""
        free = self.lens.free_stages
        seen = {metric: model.sketch(codes[:, free]) for metric, model in self.models.items()}
        keep = np.ones(len(codes), dtype=bool)
        for bound in self.problem.constraints:
            if bound.metric in seen:
                margin = (seen[bound.metric].mean - math.log(bound.at_most)) / seen[bound.metric].deviation
                keep &= margin <= max([_HARDLY, *np.sort(margin)[_KEPT : _KEPT + 1]])
        if self.problem.is_pareto:
            lows = {m: np.exp(normal.mean - _SELDOM * normal.deviation) for m, normal in seen.items()}
            axes = [lows[m] if m in lows else self.lens.priced.prices(m, codes) for m in self.problem.objectives]
            keep &= self.gains(*axes) > 0
        return keep

    @cached_property
    def predicted(self) -> Beliefs:
        """Beliefs about the candidates; only where `is_modelled`."""
        return self.believe(self.candidates)

    @cached_property
    def likely_candidates(self) -> Prices:
        """Probability that each candidate respects every bound; only where `is_modelled`."""
        return self.probability(self.candidates, self.predicted)

    @cached_property
    def untried(self) -> int | None:
        """The candidate to try next by the same rule as the recommendation; if none is likely, the likeliest."""
        if not self.is_modelled or not len(self.candidates):
            return None
        likely = self.likely_candidates
        if self.problem.is_pareto:
            gains = self.gains(self.predicted.value(self.problem.objectives[0]), self._second(self.predicted))
            return int(np.argmax(gains * likely)) if gains.any() else None
        best = self._best_of(self.predicted, likely)
        return int(best[0]) if len(best) else int(np.argmax(likely))

    @cached_property
    def promising(self) -> Rows:
        """Candidates of which joint questions are asked: likely to gain, were they only as good as they may be."""
        first = self.problem.objectives[0]
        hope = self.likely_candidates
        if self.problem.is_pareto:
            hope = hope * self.gains(self.predicted.optimistic(first), self._second(self.predicted, hopeful=True))
        elif first in self.predicted.estimated and len(self.best):
            level = self.evaluated.value(first)[self.best[0]]
            hope = hope * (self.predicted.estimated[first].probability_below(level) if level > 0 else 0.0)
        order = np.argsort(-hope, kind="stable")[:_PROMISING]
        return order[hope[order] > 0]

    @cached_property
    def reference(self) -> tuple[float, float]:
        """Where the hypervolume of two objectives begins: their bounds, else the worst of what was judged.

        Of an estimated metric three quarters of the judged are within, lest the wreckage outweigh everything.
        """
        bounds = {bound.metric: bound.at_most for bound in self.problem.constraints}
        corner = []
        for metric in self.problem.objectives:
            values = self.judged.means[metric]
            usual = float(np.quantile(values, 1.0 if is_exact(metric) else 0.75)) if len(values) else 1.0
            corner.append(bounds.get(metric, usual * (1 + 1e-3)))
        return corner[0], corner[1]

    def gains(self, first: Prices, second: Prices) -> Prices:
        """Area that each of `N` points would add to the recommended front, below the reference."""
        right, top = self.reference
        objectives = self.problem.objectives
        front = np.column_stack([self.evaluated.value(metric)[self.best] for metric in objectives])
        front = front[(front[:, 0] < right) & (front[:, 1] < top)]
        edges = np.concatenate([front[:, 0], [right]])
        ceilings = np.concatenate([[top], front[:, 1]])
        starts = np.concatenate([[-np.inf], front[:, 0]])
        widths = np.maximum(edges - np.maximum(starts, first[:, None]), 0.0)
        return np.asarray((widths * np.maximum(ceilings - second[:, None], 0.0)).sum(axis=1))

    def believe(self, codes: Codes) -> Beliefs:
        """Beliefs about any architectures, by the models there are."""
        free = self.lens.free_stages
        exact = [metric for metric in self.problem.metrics if is_exact(metric)]
        return Beliefs(
            exact={metric: self.lens.priced.prices(metric, codes) for metric in exact},
            estimated={metric: model.predict(codes[:, free]) for metric, model in self.models.items()},
        )

    def probability(self, codes: Codes, beliefs: Beliefs) -> Prices:
        """Probability that every bound holds, metrics taken as independent given the architecture."""
        probability = self.lens.pool.is_within_bounds(codes).astype(np.float64)
        for bound in self.problem.constraints:
            if bound.metric in beliefs.estimated:
                probability *= beliefs.estimated[bound.metric].probability_below(bound.at_most)
        return probability

    def _best_of(self, beliefs: Beliefs, likely: Prices) -> Rows:
        fine = np.flatnonzero(likely >= LIKELY)
        values = [beliefs.value(metric)[fine] for metric in self.problem.objectives]
        if not len(fine):
            return fine
        if not self.problem.is_pareto:
            return fine[np.lexsort((-likely[fine], values[0]))[:1]]
        points = [tuple(point) for point in np.column_stack(values).tolist()]
        front = sorted(non_dominated(points), key=lambda place: points[place])
        return fine[front]

    def _second(self, beliefs: Beliefs, hopeful: bool = False) -> Prices:
        metric = self.problem.objectives[1]
        return beliefs.optimistic(metric) if hopeful else beliefs.value(metric)
