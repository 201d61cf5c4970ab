"""Closed-form acquisition functions when the cost of every candidate is known exactly.

Bounds and one objective: expected improvement of the objective times the probability that every
bound holds, averaged over draws of the baseline (constrained noisy EI: Gardner et al., ICML 2014;
Letham et al. 2019). Several sets of bounds at once: the sum of these, each relative to its own
incumbent. Two objectives: expected hypervolume improvement.
"""

# mypy: allow-subclassing-any
# Ax, BoTorch and GPyTorch are Any to the type checker, and their classes are there to be derived from.
from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.utils.sampling import draw_sobol_normal_samples
from torch import Tensor

from nas.strategy.baseline import Baseline, Task
from nas.strategy.improvement import expected_gain
from nas.strategy.posterior import Belief, ExactResponse
from nas.strategy.response import KnownCostModel, LogResponseGP

_DRAWS = 16
_OTHER_SEED = 1_000
"""Sets the draws of new pending architectures apart from those of the baseline."""
_FINALISTS = 2048
"""Candidates that are scored again with all draws after a first round with the posterior mean."""
_PARENTS = 48
_GENERATIONS = 12
"""Rounds in which the neighbours of the best so far are scored, at most; they end when nothing better turns up."""
_REFERENCE_QUANTILE = 0.75
_QUANTILE_SAMPLE = 10_000
_MARGIN = 1e-3


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
        """Greedily the best candidates, each treated as pending before the next: codes and scores.

        Candidates that can gain are scored once, with the posterior mean; only the finalists are scored with
        all draws, and again after every choice: a pending architecture repels its neighbours, and makes no
        winner of a candidate that was far behind.
        """
        baseline = Baseline(self.models, self.task, _DRAWS)
        codes = self._finalists(count, baseline)
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
            rows.append(best)
            scores.append(float(score[best]))
            baseline.add({m: field.add_pending(best, normals[m][:, number]) for m, field in fields.items()})
        return codes[rows], torch.tensor(scores, dtype=torch.float64)

    def _finalists(self, count: int, baseline: Baseline) -> Tensor:
        """The candidates worth a second look: all of those that can gain, if there are not too many."""
        codes = self._hopeful(self.task.candidates, baseline)
        if len(codes) < count:
            codes = self.task.candidates
        most = _FINALISTS + count - 1
        if self.task.neighbours is None and len(codes) <= most:
            return codes
        mean = Baseline(self.models, self.task, 0)
        scores = self._scores(codes, mean)
        if self.task.neighbours is not None:
            codes, scores = self._evolve(codes, scores, mean, most)
        kept = scores.topk(min(most, len(scores))).indices.sort().values
        return codes[kept]

    def _evolve(self, codes: Tensor, scores: Tensor, baseline: Baseline, most: int) -> tuple[Tensor, Tensor]:
        """Look beyond a sample: neighbours of the best, generation after generation, until none is better."""
        assert self.task.neighbours is not None
        for _ in range(_GENERATIONS):
            best = scores.topk(min(_PARENTS, len(scores))).indices
            known = {row.tobytes() for row in codes.numpy()}
            near = self._hopeful(self.task.neighbours(codes[best]), baseline)
            fresh = near[[number for number, row in enumerate(near.numpy()) if row.tobytes() not in known]]
            if not len(fresh):
                break
            found = self._scores(fresh, baseline)
            codes, scores, before = torch.cat([codes, fresh]), torch.cat([scores, found]), scores.max()
            kept = scores.topk(min(most, len(scores))).indices
            codes, scores = codes[kept], scores[kept]
            if scores.max() <= before:
                break
        return codes, scores

    def _hopeful(self, codes: Tensor, baseline: Baseline) -> Tensor:
        """Those that can gain at all: of a single, exact objective the ones below the worst incumbent."""
        first, *more = self.task.objectives
        response = baseline.responses[first]
        if more or not isinstance(response, ExactResponse):
            return codes
        worst = torch.stack([baseline.best(bounds) for bounds in self.task.targets]).max()
        return codes[response.believe(codes).values < worst]

    def _scores(self, codes: Tensor, baseline: Baseline) -> Tensor:
        """Log scores of `N x d` variant numbers."""
        beliefs = {metric: response.believe(codes) for metric, response in baseline.responses.items()}
        scores = self._gains(beliefs, baseline)
        # Nothing better is left: go on with what is likely to respect the bounds, the best of it first.
        return scores if torch.isfinite(scores).any() else self._gains(beliefs, baseline, far=True)

    def _gains(self, beliefs: Mapping[str, Belief], baseline: Baseline, far: bool = False) -> Tensor:
        """Log of the mean over draws of gain times probability of feasibility, summed over the targets, `N`.

        Args:
            beliefs: About every metric at the candidates.
            baseline: What they have to improve on.
            far: As if nothing respected the bounds yet.
        """
        objectives = [beliefs[metric] for metric in self.task.objectives]
        sums = []
        for bounds in self.task.targets:
            reference = [
                belief.worst() if far or len(objectives) == 1 else self._reference(metric, bounds)
                for metric, belief in zip(self.task.objectives, objectives, strict=True)
            ]
            logs = []
            for draw, points in enumerate(baseline.incumbents(bounds)):
                score = expected_gain(points[:0] if far else points, reference, objectives, draw).log()
                for metric, bound in bounds:
                    # Of two objectives a bound is the reference point: nothing beyond it is a gain anyway.
                    if far or len(objectives) == 1 or metric not in self.task.objectives:
                        score = score + beliefs[metric].log_probability_below(draw, bound)
                logs.append(score)
            scale = baseline.best(bounds).clamp_max(reference[0]).mean().log()
            sums.append(torch.logsumexp(torch.stack(logs), dim=0) - math.log(len(logs)) - scale)
        return torch.logsumexp(torch.stack(sums), dim=0)

    def _reference(self, metric: str, bounds: tuple[tuple[str, float], ...]) -> float:
        """Worst value of one of two objectives that is still of interest.

        Its bound if it has one; else the worst candidate for a cost, and for an estimated metric what
        three quarters of the candidates are believed to stay under, lest the wreckage of the space
        outweigh everything in the product.
        """
        for bounded, bound in bounds:
            if bounded == metric:
                return bound
        model, candidates = self.models[metric], self.task.candidates
        if not isinstance(model, LogResponseGP):
            return float(model(candidates).max()) * (1 + _MARGIN)
        sample = candidates[:: max(1, len(candidates) // _QUANTILE_SAMPLE)]
        return float(torch.quantile(model.mean_module(sample), _REFERENCE_QUANTILE).exp())
