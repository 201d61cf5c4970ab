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
from dataclasses import dataclass

import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.utils.sampling import draw_sobol_normal_samples
from torch import Tensor

from nas.strategy.posterior import Belief, EstimatedResponse, ExactResponse
from nas.strategy.response import KnownCostModel, LogResponseGP

_DRAWS = 16
_OTHER_SEED = 1_000
"""Sets the draws of new pending architectures apart from those of the baseline."""
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


class Baseline:
    """Judged and pending architectures with a drawn value of every metric: what a candidate has to improve on.

    Args:
        models: Response or cost model of every metric.
        task: What is asked.
        draws: Number of draws; 0 stands for one: the posterior mean.
    """

    def __init__(self, models: Mapping[str, LogResponseGP | KnownCostModel], task: Task, draws: int) -> None:
        self.task = task
        self.responses = {metric: _response(model, metric, task, draws) for metric, model in models.items()}
        every = torch.ones(len(task.pending), dtype=torch.bool)
        self._allowed = torch.cat([task.eligible, every])
        self._values = {
            metric: response.baseline.expand(max(draws, 1), -1) for metric, response in self.responses.items()
        }

    def incumbents(self) -> list[Tensor]:
        """The objectives of what is feasible, in every draw: `m x 1` or `m x 2`."""
        points = torch.stack([self._values[metric] for metric in self.task.objectives], dim=-1)
        feasible = self._allowed.expand(points.shape[:2])
        for metric, bound in self.task.bounds:
            feasible = feasible & (self._values[metric] <= bound)
        return [row[keep] for row, keep in zip(points, feasible, strict=True)]

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add one pending architecture, by its value of every metric in every draw."""
        self._allowed = torch.cat([self._allowed, torch.ones(1, dtype=torch.bool)])
        self._values = {
            metric: torch.cat([old, values[metric][:, None]], dim=1) for metric, old in self._values.items()
        }


def _response(
    model: LogResponseGP | KnownCostModel, metric: str, task: Task, draws: int
) -> EstimatedResponse | ExactResponse:
    if isinstance(model, LogResponseGP):
        seed = task.seed + list(task.measured).index(metric)
        return EstimatedResponse(model, task.judged, task.measured[metric], task.pending, draws, seed)
    return ExactResponse(model, torch.cat([task.judged, task.pending]))


class KnownCostAcquisition(AcquisitionFunction):
    """Scores candidates of a discrete space, larger is better; scores are logs and compare within one call.

    Args:
        models: Response or cost model of every metric.
        task: What is asked.
    """

    def __init__(self, models: dict[str, LogResponseGP | KnownCostModel], task: Task) -> None:
        super().__init__(model=next(iter(models.values())))
        self.models = models
        self.task = task

    @torch.no_grad()
    def forward(self, X: Tensor) -> Tensor:
        """Scores of `b x 1 x d` variant numbers, `b`."""
        return self._scores(X.squeeze(-2), Baseline(self.models, self.task, _DRAWS))

    @torch.no_grad()
    def choose(self, count: int) -> tuple[Tensor, Tensor]:
        """Greedily the best candidates, each treated as pending before the next: rows and scores.

        Candidates that can gain are scored once, with the posterior mean; only the finalists are scored with
        all draws, and again after every choice: a pending architecture repels its neighbours, and makes no
        winner of a candidate that was far behind.
        """
        baseline = Baseline(self.models, self.task, _DRAWS)
        finalists = self._finalists(count, baseline)
        codes = self.task.candidates[finalists]
        fields = {metric: response.field(codes) for metric, response in baseline.responses.items()}
        normals = {
            metric: draw_sobol_normal_samples(
                count, _DRAWS, dtype=codes.dtype, seed=self.task.seed + _OTHER_SEED + place
            )
            for place, metric in enumerate(fields)
        }
        taken = torch.zeros(len(codes), dtype=torch.bool)
        rows, scores = [], []
        for number in range(min(count, len(codes))):
            beliefs = {metric: field.belief() for metric, field in fields.items()}
            score = self._gains(beliefs, baseline).masked_fill(taken, -torch.inf)
            if not torch.isfinite(score).any():
                score = self._gains(beliefs, baseline, far=True).masked_fill(taken, -torch.inf)
            best = int(score.argmax())
            taken[best] = True
            rows.append(int(finalists[best]))
            scores.append(float(score[best]))
            baseline.add({m: field.add_pending(best, normals[m][:, number]) for m, field in fields.items()})
        return self.task.candidates[rows], torch.tensor(scores, dtype=torch.float64)

    def _finalists(self, count: int, baseline: Baseline) -> Tensor:
        """Rows of the candidates worth a second look: all of those that can gain, if there are not too many."""
        rows = self._hopeful(baseline)
        if len(rows) < count:
            rows = torch.arange(len(self.task.candidates))
        most = _FINALISTS + count - 1
        if len(rows) <= most:
            return rows
        scores = self._scores(self.task.candidates[rows], Baseline(self.models, self.task, 0))
        return rows[scores.topk(most).indices].sort().values

    def _hopeful(self, baseline: Baseline) -> Tensor:
        """Rows of the candidates that can gain at all: of a single, exact objective those below some incumbent."""
        candidates, (first, *more) = self.task.candidates, self.task.objectives
        everything = torch.arange(len(candidates))
        response = baseline.responses[first]
        if more or not isinstance(response, ExactResponse):
            return everything
        best = [points.min() if len(points) else torch.tensor(torch.inf) for points in baseline.incumbents()]
        return everything[response.believe(candidates).values < torch.stack(best).max()]

    def _scores(self, codes: Tensor, baseline: Baseline) -> Tensor:
        """Log scores of `N x d` variant numbers."""
        beliefs = {metric: response.believe(codes) for metric, response in baseline.responses.items()}
        scores = self._gains(beliefs, baseline)
        # Nothing better is left: go on with what is likely to respect the bounds, the best of it first.
        return scores if torch.isfinite(scores).any() else self._gains(beliefs, baseline, far=True)

    def _gains(self, beliefs: Mapping[str, Belief], baseline: Baseline, far: bool = False) -> Tensor:
        """Log of the mean over draws of gain times probability of feasibility, `N`; `far`: as if nothing were."""
        objectives = [beliefs[metric] for metric in self.task.objectives]
        reference = [
            beliefs[metric].worst() if far or len(objectives) == 1 else self._reference(metric)
            for metric in self.task.objectives
        ]
        logs = []
        for draw, points in enumerate(baseline.incumbents()):
            points = points[:0] if far else points
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
