"""What is asked of an acquisition function, and what its candidates have to improve on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nas.strategy.posterior import EstimatedResponse, ExactResponse
from nas.strategy.response import KnownCostModel, LogResponseGP


@dataclass(frozen=True)
class Task:
    """One question to the acquisition function. Tensors are float64; `d` counts the stages.

    Attributes:
        objectives: One or two metrics, minimised.
        targets: Sets of bounds on estimated metrics, each of which is to be answered: one for an ε-constraint, one
            per ε for a grid. Bounds on exact metrics have been used to filter already.
        judged: Variant numbers of measured architectures, `n x d`.
        measured: Values of every estimated metric, `n`.
        eligible: Whether a measured architecture respects the exact bounds, `n`.
        pending: Variant numbers without a verdict, `p x d`.
        candidates: What may be suggested, `N x d`.
        seed: Seed of the draws.
        neighbours: For spaces of which `candidates` are but a sample: what else may be suggested close to
            `m x d` variant numbers.
        noise_sd: Expected noise of the log of every measured value, `n`; the typical one where a metric is missing.
    """

    objectives: tuple[str, ...]
    targets: tuple[tuple[tuple[str, float], ...], ...]
    judged: Tensor
    measured: dict[str, Tensor]
    eligible: Tensor
    pending: Tensor
    candidates: Tensor
    seed: int
    neighbours: Callable[[Tensor], Tensor] | None = None
    noise_sd: Mapping[str, Tensor] = field(default_factory=dict)


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

    def incumbents(self, bounds: tuple[tuple[str, float], ...]) -> list[Tensor]:
        """The objectives of what respects the bounds, in every draw: `m x 1` or `m x 2`."""
        points = torch.stack([self._values[metric] for metric in self.task.objectives], dim=-1)
        feasible = self._allowed.expand(points.shape[:2])
        for metric, bound in bounds:
            feasible = feasible & (self._values[metric] <= bound)
        return [row[keep] for row, keep in zip(points, feasible, strict=True)]

    def best(self, bounds: tuple[tuple[str, float], ...]) -> Tensor:
        """Least value of the first objective under the bounds, in every draw; infinite where there is none."""
        none = torch.full((1,), torch.inf, dtype=torch.float64)
        return torch.stack([torch.cat([points[:, 0], none]).min() for points in self.incumbents(bounds)])

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
        measured, noise_sd = task.measured[metric], task.noise_sd.get(metric)
        return EstimatedResponse(model, task.judged, measured, task.pending, draws, seed, noise_sd)
    return ExactResponse(model, torch.cat([task.judged, task.pending]))
