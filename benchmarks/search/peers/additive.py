"""Blocks scored alone, as in Puzzle (Bercovich et al. 2024): no response model, exact costs.

The score of a network is the sum of its block losses. What it loses beyond the original network is a power of the
score, fitted again after every evaluation. ε: the cheapest architecture that is predicted to be feasible; a grid's
values take turns. Front: of the additive front the point farthest from everything evaluated; when it is used up, of
the front of what is left.
"""

# ruff: noqa: D102  # the base class says what each of them does

from __future__ import annotations

import numpy as np

from benchmarks.search.landscape import Mask, Measured
from benchmarks.search.methods import Codes, Method, Task, register
from nas.domain.metric import GMACS
from nas.strategy import pricing
from nas.strategy.additive import merged_front, non_dominated_rows
from nas.strategy.pricing import Prices, sum_by_stage

ENUMERABLE = 100_000
NEAR = np.log(4.0)
"""Evaluations count less in the fit the further from the bound they are, on this scale of log-loss."""
PRIOR = 1.0
"""Weight of the belief that loss is proportional to score, in evaluations."""


class AdditiveScore(Method):
    """Sum of block losses, calibrated."""

    patience = 0

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._codes = _candidates(task)
        self._costs = task.prices.prices(GMACS.name, self._codes)
        self._scores = self._score(self._codes)
        self._left: Mask = np.ones(len(self._codes), dtype=bool)
        self._told: list[tuple[Codes, Measured]] = []

    def tell(self, codes: Codes, measured: Measured) -> None:
        self._told.append((codes, measured))
        self._left &= (self._codes != np.array(codes)).any(axis=1)

    def ask(self) -> Codes | None:
        if not self._left.any():
            return None
        if self.task.kind == "front":
            row = self._farthest_on_front()
        else:
            epsilons = self.task.grid if self.task.kind == "grid" else (self.task.epsilon,)
            row = self._cheapest_feasible(epsilons[len(self._told) % len(epsilons)])
        return tuple(int(v) for v in self._codes[row])

    def _score(self, codes: pricing.Codes) -> Prices:
        return sum_by_stage(self.task.prices.block_losses, codes)

    def _told_scores(self) -> Prices:
        return self._score(np.array([codes for codes, _ in self._told], dtype=np.int16))

    def _cheapest_feasible(self, epsilon: float) -> int:
        scores, losses = self._told_scores(), np.array([measured.loss for _, measured in self._told])
        base = float(losses[scores == 0].min(initial=np.inf))
        base = base if base < epsilon else 0.0
        telling = (scores > 0) & (losses > base)
        left = np.flatnonzero(self._left)
        if not telling.any():
            return int(left[np.argmin(self._scores[left])])
        scale, power = _power_law(scores[telling], losses[telling] - base, epsilon - base)
        predicted = base + scale * np.maximum(self._scores[left], 1e-300) ** power
        fits = predicted <= epsilon
        if not fits.any():
            return int(left[np.argmin(predicted)])
        return int(left[np.argmin(np.where(fits, self._costs[left], np.inf))])

    def _farthest_on_front(self) -> int:
        left = np.flatnonzero(self._left)
        front = left[non_dominated_rows(self._costs[left], self._scores[left])]
        axes = np.column_stack([self._costs, np.log(np.maximum(self._scores, self._scores[self._scores > 0].min()))])
        told = np.column_stack(
            [[measured.cost for _, measured in self._told], np.log(np.maximum(self._told_scores(), 1e-12))]
        )
        low, extent = axes.min(axis=0), np.maximum(np.ptp(axes, axis=0), 1e-300)
        ours, theirs = (axes[front] - low) / extent, np.maximum((told - low) / extent, 0.0)
        distance = np.square(ours[:, None] - theirs[None]).sum(axis=2).min(axis=1)
        return int(front[np.argmax(distance)])


def _power_law(scores: Prices, losses: Prices, epsilon: float) -> tuple[float, float]:
    """Scale and power of loss against score, by least squares on log scale, weighted towards the bound."""
    x, y = np.log(scores), np.log(losses)
    weights = np.exp(-0.5 * ((y - np.log(epsilon)) / NEAR) ** 2) + 1e-3
    middle_x, middle_y = np.average(x, weights=weights), np.average(y, weights=weights)
    power = (weights @ ((x - middle_x) * (y - middle_y)) + PRIOR) / (weights @ (x - middle_x) ** 2 + PRIOR)
    power = float(np.clip(power, 0.2, 5.0))
    return float(np.exp(middle_y - power * middle_x)), power


def _candidates(task: Task) -> pricing.Codes:
    """Everything, or, of a space that cannot be listed, the additive front with all neighbours."""
    priced = task.prices
    if priced.space.size <= ENUMERABLE:
        everything = np.indices(task.cardinalities, dtype=np.int16).reshape(len(task.cardinalities), -1).T
        return np.ascontiguousarray(everything[priced.holds(everything)])
    front = merged_front(priced, GMACS.name)
    parts = [front]
    for stage, cardinality in enumerate(task.cardinalities):
        for variant in range(cardinality):
            changed = front.copy()
            changed[:, stage] = variant
            parts.append(changed)
    codes = np.unique(np.concatenate(parts), axis=0)
    return codes[priced.holds(codes)]


register("additive", AdditiveScore, needs_block_losses=True)
