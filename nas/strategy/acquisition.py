"""Closed-form acquisition functions when the cost of every candidate is known exactly.

Bounds and one objective: expected improvement of the objective times the probability that every
bound holds, averaged over draws of the baseline (constrained noisy EI: Gardner et al., ICML 2014;
Letham et al. 2019). Two objectives: expected hypervolume improvement, which in two dimensions is a
sum over the strips of the front of products of one-dimensional expectations (Yang et al., 2019);
with a known cost one factor of each product is a plain difference.
"""

# mypy: allow-subclassing-any
# Ax, BoTorch and GPyTorch are Any to the type checker, and their classes are there to be derived from.
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from torch import Tensor

from nas.strategy.posterior import Belief, EstimatedResponse, ExactResponse
from nas.strategy.response import LogResponseGP, TableCostModel

_DRAWS = 16
_FINALISTS = 2048
"""Candidates that are scored again with all draws after a first round with the posterior mean."""
_REFERENCE_QUANTILE = 0.75
_QUANTILE_SAMPLE = 10_000
_MARGIN = 1e-3


@dataclass(frozen=True)
class Task:
    """One question to the acquisition function. Tensors are float64; `d` counts the stages.

    Attributes:
        objectives: One or two metrics, minimised.
        bounds: Bounds on estimated metrics; exact ones have been used to filter already.
        judged: Variant numbers of measured architectures, `n x d`.
        measured: Values of every estimated metric, `n`.
        eligible: Whether a measured architecture respects the exact bounds, `n`.
        pending: Variant numbers without a verdict, `p x d`.
        candidates: What may be suggested, `N x d`.
        seed: Seed of the draws.
    """

    objectives: tuple[str, ...]
    bounds: tuple[tuple[str, float], ...]
    judged: Tensor
    measured: dict[str, Tensor]
    eligible: Tensor
    pending: Tensor
    candidates: Tensor
    seed: int


class KnownCostAcquisition(AcquisitionFunction):
    """Scores candidates of a discrete space, larger is better; scores are logs and compare within one call.

    Args:
        models: Response or cost model of every metric.
        task: What is asked.
    """

    def __init__(self, models: dict[str, LogResponseGP | TableCostModel], task: Task) -> None:
        super().__init__(model=next(iter(models.values())))
        self.models = models
        self.task = task

    def forward(self, X: Tensor) -> Tensor:
        """Scores of `b x 1 x d` variant numbers, `b`."""
        return self._scores(X.squeeze(-2), _DRAWS)

    @torch.no_grad()
    def choose(self, count: int) -> tuple[Tensor, Tensor]:
        """Greedily the best candidates, each treated as pending before the next: rows and scores.

        The whole space is scored once, with the posterior mean; only the finalists are scored again, with
        all draws and for every choice: a pending architecture repels its neighbours, and makes no winner
        of a candidate that was far behind.
        """
        finalists = self._finalists(count)
        rows, scores = [], []
        for _ in range(min(count, len(finalists))):
            score = self._scores(self.task.candidates[finalists], _DRAWS)
            best = int(score.argmax())
            row = int(finalists[best])
            rows.append(row)
            scores.append(float(score[best]))
            finalists = torch.cat([finalists[:best], finalists[best + 1 :]])
            chosen = self.task.candidates[row : row + 1]
            self.task = replace(self.task, pending=torch.cat([self.task.pending, chosen]))
        return self.task.candidates[rows], torch.tensor(scores, dtype=torch.float64)

    def _finalists(self, count: int) -> Tensor:
        candidates = self.task.candidates
        most = _FINALISTS + count - 1
        if len(candidates) <= most:
            return torch.arange(len(candidates))
        finalists: Tensor = self._scores(candidates, 0).topk(most).indices.sort().values
        return finalists

    def _scores(self, codes: Tensor, draws: int) -> Tensor:
        """Log scores of `N x d` variant numbers; with no draws, from the posterior mean of the baseline."""
        responses = {metric: self._response(metric, draws) for metric in self.models}
        beliefs = {metric: response.believe(codes) for metric, response in responses.items()}
        baselines = {metric: response.baseline for metric, response in responses.items()}
        every = torch.ones(len(self.task.pending), dtype=torch.bool)
        feasible = torch.cat([self.task.eligible, every]).expand(max(draws, 1), -1)
        for metric, bound in self.task.bounds:
            feasible = feasible & (baselines[metric] <= bound)
        points = torch.stack([baselines[metric].expand_as(feasible) for metric in self.task.objectives], dim=-1)
        incumbents = [row[keep] for row, keep in zip(points, feasible, strict=True)]
        scores = self._expected(incumbents, beliefs)
        if torch.isfinite(scores).any():
            return scores
        # Nothing better is left: go on with what is likely to respect the bounds, the best of it first.
        return self._expected([row[:0] for row in points], beliefs, far=True)

    def _response(self, metric: str, draws: int) -> EstimatedResponse | ExactResponse:
        task, model = self.task, self.models[metric]
        if isinstance(model, LogResponseGP):
            return EstimatedResponse(model, task.judged, task.measured[metric], task.pending, draws, task.seed)
        return ExactResponse(model, torch.cat([task.judged, task.pending]))

    def _expected(self, incumbents: list[Tensor], beliefs: Mapping[str, Belief], far: bool = False) -> Tensor:
        """Log of the mean over draws of gain times probability of feasibility, `N`."""
        objectives = [beliefs[metric] for metric in self.task.objectives]
        reference = [
            beliefs[metric].worst() if far or len(objectives) == 1 else self._reference(metric)
            for metric in self.task.objectives
        ]
        logs = []
        for draw, points in enumerate(incumbents):
            score = expected_gain(points, reference, objectives, draw).log()
            for metric, bound in self.task.bounds:
                # Of two objectives a bound is the reference point: nothing beyond it is a gain anyway.
                if far or len(objectives) == 1 or metric not in self.task.objectives:
                    score = score + beliefs[metric].log_probability_below(draw, bound)
            logs.append(score)
        return torch.logsumexp(torch.stack(logs), dim=0) - math.log(len(logs))

    def _reference(self, metric: str) -> float:
        """Worst value of one of two objectives that is still of interest.

        Its bound if it has one; else the worst candidate for a cost, and for an estimated metric what
        three quarters of the candidates are believed to stay under, lest the wreckage of the space
        outweigh everything in the product.
        """
        for bounded, bound in self.task.bounds:
            if bounded == metric:
                return bound
        model, candidates = self.models[metric], self.task.candidates
        if not isinstance(model, LogResponseGP):
            return float(model(candidates).max()) * (1 + _MARGIN)
        sample = candidates[:: max(1, len(candidates) // _QUANTILE_SAMPLE)]
        return float(torch.quantile(model.mean_module(sample), _REFERENCE_QUANTILE).exp())


def expected_gain(points: Tensor, reference: list[float], objectives: list[Belief], draw: int) -> Tensor:
    """Expected improvement over `points`, `N`: of the best value, or of the dominated area.

    Args:
        points: Feasible baseline, `m x 1` or `m x 2`; may be empty.
        reference: Where improvement starts to count when there is no baseline.
        objectives: Beliefs about one or two objectives at `N` candidates.
        draw: Which draw of the baseline `points` belong to.
    """
    if len(objectives) == 1:
        best = points.min() if len(points) else torch.tensor(reference[0], dtype=torch.float64)
        return objectives[0].shortfall(draw, best.reshape(1))[0]
    edges, ceilings = strips(points, reference)
    reached = objectives[0].shortfall(draw, edges)
    widths = torch.cat([reached[:1], reached.diff(dim=0)])
    return (widths * objectives[1].shortfall(draw, ceilings)).sum(0)


def strips(points: Tensor, reference: list[float]) -> tuple[Tensor, Tensor]:
    """The area that `points` leave undominated, as vertical strips below the reference.

    Returns:
        Right edges (increasing) and ceilings (decreasing) of the strips, `K` each: strip `k` reaches
        from the edge before it to its own, and from below up to its ceiling.
    """
    right, top = reference
    inside = [(x, y) for x, y in sorted(points.tolist()) if x < right and y < top]
    edges, ceilings = [], [top]
    for x, y in inside:
        if y < ceilings[-1]:
            edges.append(x)
            ceilings.append(y)
    return torch.tensor([*edges, right], dtype=torch.float64), torch.tensor(ceilings, dtype=torch.float64)
