"""Bayesian optimisation over block choices: warm start, response models, known costs."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from nas.domain.job import Evaluation
from nas.domain.metric import EXACT_METRICS, FIDELITY_METRICS, GMACS, TABLE_LATENCY
from nas.strategy.additive import additive_front, spread
from nas.strategy.base import Strategy
from nas.strategy.pricing import Codes, Prices, sum_by_stage

if TYPE_CHECKING:
    import torch

    from nas.strategy.acquisition import Task
    from nas.strategy.ax_translation import Outcomes

_LEAST_DATA = 3
"""Positive values of a metric below which a response model would be a guess."""
_ANCHORS = 32
_LEAST_NOISE_SD = 0.01


class BayesianSearch(Strategy):
    """Warm start on the additive front, then Ax with response models and known costs.

    The model takes over after `initial_trials`, as soon as every estimated metric has three values;
    trials that were screened, abandoned or failed carry no value and count only as seen.
    """

    def propose(self, count: int, seen: set[tuple[int, ...]]) -> list[tuple[Sequence[int], str]]:
        """Warm-start points first, then the acquisition function's choice."""
        proposals: list[tuple[Sequence[int], str]] = []
        taken = set(seen)
        missing = count if not self._model_has_data() else min(count, self.context.initial_trials - len(seen))
        if self.estimated and missing > 0:
            proposals = [(codes, "warm start") for codes in self._warm_start(missing, taken)]
            taken.update(tuple(codes) for codes, _ in proposals)
        if len(proposals) < count and (self._model_has_data() or not self.estimated):
            proposals.extend((codes, "bayesian") for codes in self._ask(count - len(proposals), taken))
        return proposals

    @property
    def estimated(self) -> tuple[str, ...]:
        """Metrics of the problem that have to be measured."""
        return tuple(metric for metric in self.context.problem.metrics if metric not in EXACT_METRICS)

    def judged(self) -> list[tuple[tuple[int, ...], Evaluation]]:
        """Variant numbers and evaluations of all trials in which every estimated metric was measured."""
        return [
            (self.context.space.encode(trial.architecture), trial.evaluation)
            for trial in self.finished
            if trial.evaluation is not None and all(metric in trial.evaluation.metrics for metric in self.estimated)
        ]

    def _model_has_data(self) -> bool:
        judged = self.judged()
        return bool(self.estimated) and all(
            sum(evaluation.metrics[metric].mean > 0 for _, evaluation in judged) >= _LEAST_DATA
            for metric in self.estimated
        )

    def _warm_start(self, count: int, seen: set[tuple[int, ...]]) -> list[Sequence[int]]:
        front = self._additive_front()
        order = spread(*self._axes(front), count=self.context.initial_trials + len(seen) + count)
        chosen: list[Sequence[int]] = [front[row].tolist() for row in order if tuple(front[row].tolist()) not in seen]
        chosen = chosen[:count]
        if len(chosen) < count:
            known = seen | {tuple(codes) for codes in chosen}
            generator = self.generator(known)
            left = self.pool.unseen(known, generator, front)
            rows = generator.permutation(len(left))[: count - len(chosen)]
            chosen.extend(left[row].tolist() for row in rows)
        return chosen

    def _additive_front(self) -> Codes:
        return additive_front(self.pool, self._cost_metric())

    def _axes(self, codes: Codes) -> tuple[Prices, Prices]:
        return self.priced.prices(self._cost_metric(), codes), sum_by_stage(self.priced.block_losses, codes)

    def _cost_metric(self) -> str:
        exact = [metric for metric in self.context.problem.metrics if metric in EXACT_METRICS]
        return exact[0] if exact else GMACS.name

    def _anchors(self) -> Codes:
        """The additive front and the best architectures so far: where to look closer in a large space."""
        if self.pool.is_exhaustive:
            return self.encode_all(())
        problem = self.context.problem
        priced = [(codes, evaluation.metrics) for codes, evaluation in self.judged()]
        best = [
            codes
            for metric in problem.objectives
            for codes, metrics in sorted(
                priced, key=lambda item: (problem.violation(item[1]), item[1][metric].mean, item[0])
            )[:_ANCHORS]
        ]
        front = self._additive_front()
        rows = np.linspace(0, len(front) - 1, min(len(front), _ANCHORS)).astype(int)
        return np.concatenate([front[rows], np.array(best, dtype=np.int16).reshape(-1, front.shape[1])])

    def _ask(self, count: int, seen: set[tuple[int, ...]]) -> list[Sequence[int]]:
        candidates = self.pool.unseen(seen, self.generator(seen), self._anchors())
        if not len(candidates):
            return []
        free = [stage for stage, cardinality in enumerate(self.priced.cardinalities) if cardinality > 1]
        with _undisturbed():
            from nas.strategy.ax_translation import ask  # heavy: Ax

            task, outcomes = self._task(candidates, seen, free), self._outcomes(free)
            answers = ask(tuple(self.priced.cardinalities[stage] for stage in free), outcomes, task, count)
        chosen: list[Sequence[int]] = []
        for answer in answers:
            codes = [0] * len(self.priced.cardinalities)
            for stage, code in zip(free, answer, strict=True):
                codes[stage] = code
            chosen.append(codes)
        return chosen

    def _task(self, candidates: Codes, seen: set[tuple[int, ...]], free: list[int]) -> Task:
        import torch

        from nas.strategy.acquisition import Task

        def tensor(codes: Codes) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(codes[:, free])).to(torch.float64)

        judged = self.judged()
        codes = np.array([codes for codes, _ in judged], dtype=np.int16).reshape(
            len(judged), len(self.priced.cardinalities)
        )
        finished = {self.context.space.encode(trial.architecture) for trial in self.finished}
        pending = np.array(sorted(seen - finished), dtype=np.int16).reshape(-1, codes.shape[1])
        within = {tuple(row) for row in self.pool.within_bounds(codes).tolist()}
        return Task(
            objectives=self.context.problem.objectives,
            bounds=tuple(
                (bound.metric, bound.at_most)
                for bound in self.context.problem.constraints
                if bound.metric not in EXACT_METRICS
            ),
            judged=tensor(codes),
            measured={
                metric: torch.tensor([e.metrics[metric].mean for _, e in judged], dtype=torch.float64)
                for metric in self.estimated
            },
            eligible=torch.tensor([tuple(row) in within for row in codes.tolist()], dtype=torch.bool),
            pending=tensor(pending),
            candidates=tensor(candidates),
            seed=self.context.seed,
        )

    def _outcomes(self, free: list[int]) -> Outcomes:
        from nas.strategy.ax_translation import Estimated, Exact

        outcomes: Outcomes = {}
        for metric in self.context.problem.metrics:
            if metric in self.estimated:
                outcomes[metric] = Estimated(_padded(self._contributions(metric), free), self._noise(metric))
            elif metric in self.context.problem.objectives:
                cheapest = np.array(
                    [[int(np.argmin(prices)) for prices in self.priced.stage_prices(metric)]], dtype=np.int16
                )
                outcomes[metric] = Exact(
                    float(self.priced.prices(metric, cheapest)[0]), _padded(self.priced.stage_prices(metric), free)
                )
        return outcomes

    def _contributions(self, metric: str) -> list[Prices]:
        """What is known beforehand about a metric, stage by stage: block losses, or prices for a latency."""
        if metric in FIDELITY_METRICS:
            return self.priced.block_losses
        return self.priced.stage_prices(TABLE_LATENCY.name if self.priced.has_table_latency else GMACS.name)

    def _noise(self, metric: str) -> float:
        relative = [
            e.metrics[metric].sem / e.metrics[metric].mean for _, e in self.judged() if e.metrics[metric].mean > 0
        ]
        return max(float(np.median(relative)) / 3, _LEAST_NOISE_SD)


def _padded(tables: list[Prices], free: list[int]) -> torch.Tensor:
    """Tables of the free stages as one `d x k` tensor, filled up with zeros."""
    import torch

    width = max(len(tables[stage]) for stage in free)
    return torch.stack(
        [torch.nn.functional.pad(torch.from_numpy(tables[s]), (0, width - len(tables[s]))) for s in free]
    )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Torch on one thread and Ax in silence, the importing of both included.

    The cores belong to the workers, and results must not depend on their number. Ax announces its SQL
    storage (which we never use) when imported, and warns of its own deprecations.
    """
    import torch

    logging.getLogger("ax.storage.sqa_store.with_db_settings_base").disabled = True
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(threads)
