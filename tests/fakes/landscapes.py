"""A synthetic search space whose every architecture is priced and judged in advance: the optimum is known.

Shaped like Stable Diffusion's U-Net: nine stages, costs in its proportions, block losses that grow
as blocks get cheaper, and a loss that is *not* the sum of them: hidden sensitivities per stage,
interactions (strongest between mirror stages), a power, and ruggedness.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nas.domain.architecture import TEACHER_VARIANT, Architecture
from nas.domain.cost import ExactCosts
from nas.domain.job import Evaluation
from nas.domain.library import BlockCost, BlockLibrary, LibraryEntry
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import Measurement
from nas.domain.objective import Problem
from nas.domain.pareto import hypervolume_2d
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.strategy.pricing import PricedSpace

STAGES = ("E1", "E2", "E3", "E4", "Mid", "D4", "D3", "D2", "D1")
GMACS = (37.0, 35.0, 33.0, 6.0, 5.0, 22.0, 62.0, 70.0, 68.0)
MILLION_PARAMS = (14.0, 47.0, 170.0, 75.0, 97.0, 162.0, 258.0, 78.0, 18.0)
LARGE = (4, 4, 4, 3, 3, 3, 4, 4, 2)
"""55,296 architectures."""
MEDIUM = (3, 3, 3, 2, 2, 2, 3, 3, 3)
"""5,832 architectures."""

Grid = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Landscape:
    """A space with its prices and its true losses.

    Attributes:
        losses: True `noise_mse` of every architecture, in lexicographic order of variant numbers.
        gmacs: True cost of every architecture, in the same order.
        noise: Relative standard deviation of a measurement.
    """

    space: SearchSpace
    costs: ExactCosts
    losses: npt.NDArray[np.float64]
    gmacs: npt.NDArray[np.float64]
    noise: float = 0.0

    @property
    def priced(self) -> PricedSpace:
        return PricedSpace(self.space, self.costs)

    def position(self, architecture: Architecture) -> int:
        return int(np.ravel_multi_index(self.space.encode(architecture), self.space.cardinalities))

    def evaluate(self, architecture: Architecture) -> Evaluation:
        position = self.position(architecture)
        # The same architecture always gives the same measurement, as on a fixed hold-out set.
        error = np.random.default_rng(position).normal() * self.noise
        loss = float(self.losses[position] * np.exp(error))
        # Launch overheads and idle units: neither proportional to MACs nor a sum over stages.
        milliseconds = float(3.0 + self.gmacs[position] ** 0.9 / 10 * (1.0 + 0.05 * np.sin(position)))
        measured = {
            "noise_mse": Measurement(mean=loss, sem=loss * self.noise, samples=64),
            "latency_ms": Measurement(mean=milliseconds, sem=0.02 * milliseconds, samples=15, unit="ms"),
        }
        return Evaluation(metrics=FrozenDict({**self.costs.of(architecture), **measured}))

    def cheapest(self, bound: float) -> float:
        """Cost of the cheapest architecture whose true loss is within the bound."""
        return float(self.gmacs[self.losses <= bound].min())

    def best_feasible(self, trials: list[Trial], bound: float) -> float:
        """Cost of the cheapest *truly* feasible architecture tried; the most expensive one's while there is none."""
        tried = [self.position(trial.architecture) for trial in trials]
        feasible = [self.gmacs[position] for position in tried if self.losses[position] <= bound]
        return float(min(feasible, default=self.gmacs.max()))

    def relative_hypervolume(self, trials: list[Trial]) -> float:
        """Area dominated by the true values of what was tried, relative to the true front's."""
        reference = (float(self.gmacs.max()) * 1.001, float(np.quantile(self.losses, 0.6)))
        tried = [self.position(trial.architecture) for trial in trials]
        found = hypervolume_2d(np.column_stack([self.gmacs[tried], self.losses[tried]]).tolist(), reference)
        return found / hypervolume_2d(np.column_stack([self.gmacs, self.losses]).tolist(), reference)


def landscape(seed: int, cardinalities: tuple[int, ...] = LARGE, noise: float = 0.0) -> Landscape:
    """Draw a landscape. Block losses are known to strategies; sensitivities and interactions are not."""
    draw = np.random.default_rng(seed)
    stages = STAGES[: len(cardinalities)]
    names = [(TEACHER_VARIANT, *(f"v{v}" for v in range(1, n))) for n in cardinalities]
    shares = [np.concatenate([[1.0], np.sort(draw.uniform(0.1, 0.85, n - 1))[::-1]]) for n in cardinalities]
    # A block that does less is imitated worse, but not strictly so.
    block_losses = [0.6 * (1 - share) ** 1.5 * draw.lognormal(0.0, 0.35, len(share)) for share in shares]
    entries = {}
    for s, stage in enumerate(stages):
        for v, name in enumerate(names[s]):
            macs = int(GMACS[s] * 1e9 * shares[s][v])
            params = int(MILLION_PARAMS[s] * 1e6 * shares[s][v] ** draw.uniform(0.8, 1.2))
            cost = BlockCost(params=params, macs=macs, attention_macs=macs // 10)
            entries[f"{stage}/{name}"] = LibraryEntry(
                key=f"{stage}/{name}", stage=stage, variant=name, cost=cost, block_loss=float(block_losses[s][v])
            )
    floor = BlockCost(params=4_000_000, macs=400_000_000, attention_macs=0)
    costs = ExactCosts(stages=stages, library=BlockLibrary(entries=FrozenDict(entries), floor=floor))
    space = SearchSpace(
        stages=tuple(StageChoices(stage=stage, variants=n) for stage, n in zip(stages, names, strict=True))
    )
    grid = np.indices(cardinalities).reshape(len(cardinalities), -1).T
    losses = _losses(draw, block_losses, grid)
    share = np.stack([shares[s][grid[:, s]] for s in range(len(stages))], axis=1)
    gmacs = np.array([np.floor(np.array(GMACS[: len(stages)]) * 1e9 * row).sum() for row in share]) / 1e9 + 0.4
    return Landscape(space, costs, losses, gmacs, noise)


def _losses(
    draw: np.random.Generator, block_losses: list[npt.NDArray[np.float64]], grid: Grid
) -> npt.NDArray[np.float64]:
    """True losses: zero for the teacher, `(weighted sum + interactions)^1.25` times ruggedness elsewhere."""
    stages = grid.shape[1]
    chosen = np.stack([block_losses[s][grid[:, s]] for s in range(stages)], axis=1)
    hidden = chosen * draw.lognormal(0.0, 0.6, stages)
    total = hidden.sum(axis=1)
    ruggedness = np.zeros(len(grid))
    for s in range(stages):
        for t in range(s + 1, stages):
            strength = 0.5 if s + t == stages - 1 else 0.1
            total += strength * draw.uniform(-0.5, 1.0) * np.sqrt(hidden[:, s] * hidden[:, t])
            table = draw.normal(0.0, 0.04, (len(block_losses[s]), len(block_losses[t])))
            ruggedness += table[grid[:, s], grid[:, t]]
    return np.asarray(0.1 * np.maximum(total, 0.0) ** 1.25 * np.exp(ruggedness))


def finished(number: int, architecture: Architecture, evaluation: Evaluation | None, status: TrialStatus) -> Trial:
    return Trial(search="s", number=number, architecture=architecture, status=status, evaluation=evaluation)


def screened(landscape: Landscape, architecture: Architecture, problem: Problem) -> Evaluation:
    """What the engine records: exact metrics alone where they already break a bound."""
    exact = landscape.costs.of(architecture)
    known = Problem(
        objectives=problem.objectives,
        constraints=tuple(bound for bound in problem.constraints if bound.metric in exact),
    )
    return landscape.evaluate(architecture) if known.is_feasible(exact) else Evaluation(metrics=exact)
