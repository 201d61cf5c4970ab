"""The papers' own recipes: architectures as points of [0, 1]^stages, Gaussian processes, rounding.

`nanosd`: two objectives, one Gaussian process each, expected hypervolume improvement over the continuous box, the
answer rounded to the nearest variants. It always draws the front; the ε task reads it off there.

`toc-sr`: an independent constrained search per ε: Gaussian processes for cost and loss, constrained expected
improvement, rounded alike. In the grid task the evaluations left are shared out among the values of ε; for the front
among eight between the least and the greatest loss of the warm-up, evenly in log-loss. Each search learns from the
warm-up and from its own points.

`toc-sr-40-each`: the same in the grid task with forty evaluations for every ε, as the paper gives them. The searches
take turns, so that what all of them need together is eight times what the slowest needs.

A process is fitted from the parameters it had before its last points came, and not again for points it knows.
"""

# ruff: noqa: D102  # the base class says what each of them does

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.search.landscape import GRID, Measured
from benchmarks.search.methods import Codes, Method, Task, register

if TYPE_CHECKING:
    import torch

RESTARTS = 4
RAW_SAMPLES = 128
FIT_STEPS = 75
"""As likely as after any number from the usual start, because each fit begins where the last one ended."""


class ContinuousBox(Method):
    """What both recipes share: the box, the models, the rounding."""

    patience = 2

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.told: dict[Codes, Measured] = {}
        self._widths = np.maximum(np.array(task.cardinalities) - 1, 1)
        self._asked = 0

    def tell(self, codes: Codes, measured: Measured) -> None:
        self.told[codes] = measured

    def repeat(self, codes: Codes, measured: Measured) -> None:
        """Nothing new was learned: other restarts of the optimiser may lead elsewhere."""

    def points(self, told: dict[Codes, Measured]) -> torch.Tensor:
        """Evaluated architectures in the box, `n x stages`."""
        import torch

        return torch.tensor(np.array(list(told)) / self._widths, dtype=torch.float64)

    def best_of(self, acquisition: Any) -> Codes:
        """The acquisition function's optimum in the box, rounded."""
        import torch
        from botorch.optim import optimize_acqf

        self._asked += 1
        torch.manual_seed(self.task.seed * 100_003 + self._asked)
        stages = len(self.task.cardinalities)
        box = torch.stack([torch.zeros(stages), torch.ones(stages)]).double()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, _ = optimize_acqf(acquisition, box, q=1, num_restarts=RESTARTS, raw_samples=RAW_SAMPLES)
        return tuple(int(v) for v in np.rint(found[0].numpy() * self._widths))


class Processes:
    """One Gaussian process per goal, standardised, kept from one call to the next."""

    def __init__(self) -> None:
        self._model: Any = None
        self._points = 0

    def fitted(self, points: torch.Tensor, goals: list[list[float]]) -> Any:
        """The processes given `n x stages` points, which only ever become more, and `goals x n` values."""
        if len(points) == self._points:
            return self._model
        import torch
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import ModelListGP, SingleTaskGP
        from botorch.models.transforms import Standardize
        from gpytorch.mlls import SumMarginalLogLikelihood

        columns = [torch.tensor(goal, dtype=torch.float64)[:, None] for goal in goals]
        model = ModelListGP(*(SingleTaskGP(points, column, outcome_transform=Standardize(1)) for column in columns))
        if self._model is not None:
            for process, before in zip(model.models, self._model.models, strict=True):
                process.covar_module.load_state_dict(before.covar_module.state_dict())
                process.mean_module.load_state_dict(before.mean_module.state_dict())
                process.likelihood.load_state_dict(before.likelihood.state_dict())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            likelihood = SumMarginalLogLikelihood(model.likelihood, model)
            fit_gpytorch_mll(likelihood, optimizer_kwargs={"options": {"maxiter": FIT_STEPS}})
        self._model, self._points = model, len(points)
        return model


class NanoSD(ContinuousBox):
    """Expected hypervolume improvement over the box. Reference: the greatest cost and loss evaluated."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._processes = Processes()

    def ask(self) -> Codes:
        import torch
        from botorch.acquisition.multi_objective.analytic import ExpectedHypervolumeImprovement
        from botorch.utils.multi_objective.box_decompositions import FastNondominatedPartitioning

        goals = [[-m.cost for m in self.told.values()], [-m.loss for m in self.told.values()]]
        model = self._processes.fitted(self.points(self.told), goals)
        values = torch.tensor(goals, dtype=torch.float64).T
        reference = values.min(dim=0).values
        boxes = FastNondominatedPartitioning(ref_point=reference, Y=values)
        return self.best_of(ExpectedHypervolumeImprovement(model, reference.tolist(), boxes))


class TocSR(ContinuousBox):
    """Constrained expected improvement, for one ε or for eight in turn, none of which hears of the others."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._searches: list[tuple[float, dict[Codes, Measured], Processes]] = []
        self._turn = 0

    def tell(self, codes: Codes, measured: Measured) -> None:
        super().tell(codes, measured)
        if self._searches:
            self._searches[self._turn][1][codes] = measured
            self._turn = (self._turn + 1) % len(self._searches)

    def repeat(self, codes: Codes, measured: Measured) -> None:
        """Another ε may have paid for it: this one learns it too."""
        self._searches[self._turn][1][codes] = measured

    def ask(self) -> Codes:
        from botorch.acquisition.analytic import LogConstrainedExpectedImprovement

        if not self._searches:
            self._searches = [(epsilon, dict(self.told), Processes()) for epsilon in self._epsilons()]
        epsilon, told, processes = self._searches[self._turn]
        bounds = [(epsilon, [m.loss for m in told.values()])]
        if self.task.kind == "epsilon" and self.task.latency_at_most is not None:
            bounds.append((self.task.latency_at_most, [m.latency or 0.0 for m in told.values()]))
        costs = [m.cost for m in told.values()]
        goals = [[-cost for cost in costs], *(values for _, values in bounds)]
        model = processes.fitted(self.points(told), goals)
        feasible = [cost for n, cost in enumerate(costs) if all(values[n] <= at_most for at_most, values in bounds)]
        return self.best_of(
            LogConstrainedExpectedImprovement(
                model,
                best_f=-min(feasible, default=max(costs)),
                objective_index=0,
                constraints={n: (None, at_most) for n, (at_most, _) in enumerate(bounds, start=1)},
            )
        )

    def _epsilons(self) -> list[float]:
        if self.task.kind == "epsilon":
            return [self.task.epsilon]
        if self.task.kind == "grid":
            return list(self.task.grid)
        losses = [m.loss for m in self.told.values() if m.loss > 0]
        low, high = np.log(min(losses)), np.log(max(losses))
        return [float(np.exp(low + (high - low) * (n + 1) / (GRID + 1))) for n in range(GRID)]


register("nanosd", NanoSD, "botorch")
register("toc-sr", TocSR, "botorch")
register("toc-sr-40-each", TocSR, "botorch", each_epsilon=40)
