"""Bayesian optimisation over block choices: warm start, response models, known costs."""

from __future__ import annotations

import logging
import math
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nas.domain.metric import FIDELITY_METRICS, GMACS, is_exact
from nas.strategy.additive import additive_front, spread
from nas.strategy.base import Strategy
from nas.strategy.judged import Judged
from nas.strategy.noise import expected_noise, noise_width
from nas.strategy.pricing import Codes, Prices, sum_by_stage
from nas.strategy.seen import Seen

if TYPE_CHECKING:
    import torch

    from nas.strategy.ax_translation import Outcomes
    from nas.strategy.baseline import Task

_LEAST_DATA = 3
"""Positive values of a metric below which a response model would be a guess."""
_ALONE = threading.Lock()
_MOST_DATA = 300
"""Judged trials shown to a response model: its cost grows with their cube."""
_ANCHORS = 32
_NEAR = math.log(3.0)
"""How far from a bound, in log-loss, a warm-start point may be expected to lie."""


@dataclass(frozen=True)
class Ingredients:
    """What makes up the engine; the bench leaves out one at a time to see what it adds.

    Attributes:
        exact_costs: Costs are functions; without, they are estimated like anything else.
        prior_mean: The response model expects a power of a weighted sum of block losses.
        warm_start: The search begins on the additive front; without, at random.
    """

    exact_costs: bool = True
    prior_mean: bool = True
    warm_start: bool = True


class BayesianSearch(Strategy):
    """Warm start on the additive front, then Ax with response models and known costs.

    The model takes over after `initial_trials`, as soon as every estimated metric has three values;
    trials that were screened, abandoned or failed carry no value and count only as seen.
    """

    ingredients = Ingredients()

    @classmethod
    def load(cls) -> None:
        """Import Ax, once; suggestions wait for it."""
        with undisturbed():
            import nas.strategy.ax_translation  # noqa: F401

    def propose(self, count: int, seen: Seen) -> list[tuple[Sequence[int], str]]:
        """Warm-start points first, then the acquisition function's choice."""
        judged = Judged.of(self.record.columns(), self.context.problem)
        informed = all((judged.means[metric] > 0).sum() >= _LEAST_DATA for metric in self.estimated)
        warm = min(count, self.context.initial_trials - len(seen)) if informed else count
        proposals: list[tuple[Sequence[int], str]] = []
        if self.estimated and warm > 0:
            proposals.extend((codes, "warm start") for codes in self._warm_start(warm, seen, judged))
        if informed and len(proposals) < count:
            taken = seen | (codes for codes, _ in proposals)
            proposals.extend((codes, "bayesian") for codes in self._ask(count - len(proposals), taken, judged))
        return proposals

    @property
    def estimated(self) -> tuple[str, ...]:
        """Metrics of the problem that have to be measured."""
        metrics, exact = self.context.problem.metrics, self.ingredients.exact_costs
        return tuple(metric for metric in metrics if not (exact and is_exact(metric)))

    @property
    def free_stages(self) -> list[int]:
        """Positions of the stages that have a choice: what response models see."""
        return [stage for stage, cardinality in enumerate(self.priced.cardinalities) if cardinality > 1]

    def telling(self, judged: Judged) -> Judged:
        """The judged trials that response models learn from."""
        return judged.at_most(_MOST_DATA, self.context.problem.objectives)

    def _warm_start(self, count: int, seen: Seen, judged: Judged) -> list[Sequence[int]]:
        front = self._additive_front() if self.ingredients.warm_start else self.encode_all(())
        near = self._near_bound(front, judged)
        order = spread(*self._axes(near), count=len(seen) + count)
        points = (near[row].tolist() for row in order)
        chosen: list[Sequence[int]] = [codes for codes in points if codes not in seen][:count]
        if len(chosen) < count:
            known = seen | chosen
            generator = self.generator(known)
            left = self.pool.unseen(known, generator, front)
            rows = generator.permutation(len(left))[: count - len(chosen)]
            chosen.extend(left[row].tolist() for row in rows)
        return chosen

    def _near_bound(self, front: Codes, judged: Judged) -> Codes:
        """The part of the additive front around the bound on a fidelity, once two results tell the scale."""
        bounds = [bound for bound in self.context.problem.constraints if bound.metric in FIDELITY_METRICS]
        if self.context.problem.is_pareto or not bounds:
            return front
        sums = self._axes(judged.codes)[1]
        measured = judged.means[bounds[0].metric]
        epsilons = np.array(sorted({*bounds[0].grid, bounds[0].at_most}))
        telling = (sums > 0) & (measured > 0)
        if telling.sum() < 2:
            return front
        scale = float(np.median(measured[telling] / sums[telling]))
        expected = np.maximum(self._axes(front)[1] * scale, 1e-300)
        near = front[(np.abs(np.log(expected[:, None] / epsilons)) < _NEAR).any(axis=1)]
        return near if len(near) > self.context.initial_trials else front

    def _additive_front(self) -> Codes:
        return additive_front(self.pool, self._cost_metric())

    def _axes(self, codes: Codes) -> tuple[Prices, Prices]:
        return self.priced.prices(self._cost_metric(), codes), sum_by_stage(self.priced.contributions, codes)

    def _cost_metric(self) -> str:
        exact = [metric for metric in self.context.problem.metrics if is_exact(metric)]
        return exact[0] if exact else GMACS.name

    def anchors(self, judged: Judged) -> Codes:
        """The additive front and the best architectures so far: where to look closer in a large space."""
        if self.pool.is_exhaustive:
            return self.encode_all(())
        best = judged.best_first(self.context.problem.objectives)[:_ANCHORS]
        front = self._additive_front()
        rows = np.linspace(0, len(front) - 1, min(len(front), _ANCHORS)).astype(int)
        return np.concatenate([front[rows], judged.codes[best]])

    def _ask(self, count: int, seen: Seen, judged: Judged) -> list[Sequence[int]]:
        candidates = self.pool.unseen(seen, self.generator(seen), self.anchors(judged))
        if not len(candidates):
            return []
        cardinalities = self.priced.cardinalities
        free = self.free_stages
        told = self.telling(judged)
        with undisturbed():
            from nas.strategy.ax_translation import ask  # heavy: Ax

            task, outcomes = self._task(candidates, seen, told, free), self.outcomes(told, free)
            answers = np.array(ask(tuple(cardinalities[stage] for stage in free), outcomes, task, count))
        codes = np.zeros((len(answers), len(cardinalities)), dtype=np.int16)
        codes[:, free] = answers.reshape(len(answers), len(free))
        return list(codes.tolist())

    def _task(self, candidates: Codes, seen: Seen, told: Judged, free: list[int]) -> Task:
        import torch

        from nas.strategy.baseline import Task

        def tensor(codes: Codes) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(codes[:, free])).to(torch.float64)

        def neighbours(codes: torch.Tensor) -> torch.Tensor:
            rows = np.zeros((len(codes), told.codes.shape[1]), dtype=np.int16)
            rows[:, free] = codes.numpy()
            return tensor(self.pool.neighbours(rows, seen))

        pending = np.array(sorted(seen.pending), dtype=np.int16).reshape(-1, told.codes.shape[1])
        return Task(
            objectives=self.context.problem.objectives,
            targets=self._targets(),
            judged=tensor(told.codes),
            measured={metric: torch.from_numpy(told.means[metric]) for metric in self.estimated},
            noise_sd={metric: torch.from_numpy(expected_noise(metric, told)) for metric in self.estimated},
            eligible=torch.from_numpy(self.pool.is_within_bounds(told.codes)),
            pending=tensor(pending),
            candidates=tensor(candidates),
            seed=self.context.seed,
            neighbours=None if self.pool.is_exhaustive else neighbours,
        )

    def _targets(self) -> tuple[tuple[tuple[str, float], ...], ...]:
        """The bounds on estimated metrics: one set, or one per ε of a grid."""
        problem = self.context.problem
        return tuple(
            tuple((bound.metric, bound.at_most) for bound in one.constraints if bound.metric in self.estimated)
            for one in problem.parts
        )

    def outcomes(self, told: Judged, free: list[int]) -> Outcomes:
        """How each metric is modelled: a response model over the free stages, or a known function of them."""
        import torch

        from nas.strategy.ax_translation import Estimated, Exact

        outcomes: Outcomes = {}
        for metric in self.estimated:
            known = _padded(self._contributions(metric), free)
            outcomes[metric] = Estimated(
                tables=known * self.ingredients.prior_mean,
                noise_sd=torch.from_numpy(expected_noise(metric, told)),
                noise_width=noise_width(metric, told),
            )
        for metric in self.context.problem.objectives:
            if metric not in self.estimated:
                outcomes[metric] = Exact(self._known(metric, free))
        return outcomes

    def _known(self, metric: str, free: list[int]) -> Callable[[torch.Tensor], torch.Tensor]:
        """An exact metric as a function of the variant numbers of the free stages, `... x d` to `...`."""
        import torch

        def price(codes: torch.Tensor) -> torch.Tensor:
            rows = np.zeros((codes[..., 0].numel(), len(self.priced.cardinalities)), dtype=np.int16)
            rows[:, free] = codes.reshape(len(rows), -1).numpy()
            return torch.from_numpy(self.priced.prices(metric, rows)).reshape(codes.shape[:-1])

        return price

    def _contributions(self, metric: str) -> list[Prices]:
        """What is known beforehand about a metric, stage by stage: block losses, or prices for a latency."""
        if metric in FIDELITY_METRICS:
            return self.priced.contributions
        if is_exact(metric):
            return self.priced.stage_prices(metric)
        table = f"table_{metric}"
        return self.priced.stage_prices(table if self.priced.has_table(table) else GMACS.name)


def _padded(tables: list[Prices], free: list[int]) -> torch.Tensor:
    """Tables of the free stages as one `d x k` tensor, filled up with zeros."""
    import torch

    width = max(len(tables[stage]) for stage in free)
    return torch.stack(
        [torch.nn.functional.pad(torch.from_numpy(tables[s]), (0, width - len(tables[s]))) for s in free]
    )


@contextmanager
def undisturbed() -> Iterator[None]:
    """Torch on one thread and Ax in silence, the importing of both included.

    The cores belong to the workers, and results must not depend on their number. Ax announces its SQL
    storage (which we never use) when imported, and warns of its own deprecations. One at a time: threads of
    torch and filters of warnings belong to the whole process.
    """
    import torch

    with _ALONE:
        logging.getLogger("ax.storage.sqa_store.with_db_settings_base").disabled = True
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            torch.set_num_threads(threads)
