"""Optuna's samplers (Akiba et al., KDD 2019): TPE, NSGA-II and its Gaussian process, constrained.

Variants are integers from dear to cheap. Bounds go through `constraints_func`; the warm-up is enqueued, so that every
sampler takes it for trials of its own.
"""

# ruff: noqa: D102  # the base class says what each of them does

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.search.landscape import Measured
from benchmarks.search.methods import Codes, Method, Task, register

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

POPULATION = 12
_BOUNDS = "bounds"


class Sampler(Method):
    """A sampler of Optuna behind the bench's interface."""

    def __init__(self, task: Task, kind: str) -> None:
        import optuna
        from optuna.study import StudyDirection

        super().__init__(task)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        warnings.filterwarnings("ignore", module="optuna")
        self.patience = 3 if kind == "gp" else 10
        goals = [StudyDirection.MINIMIZE] * (1 if task.kind == "epsilon" else 2)
        self._study = optuna.create_study(directions=goals, sampler=_sampler(task, kind))
        self._asked: tuple[Codes, Trial] | None = None

    def ask(self) -> Codes:
        trial = self._study.ask()
        codes = tuple(trial.suggest_int(f"s{s}", 0, n - 1) for s, n in enumerate(self.task.cardinalities))
        self._asked = (codes, trial)
        return codes

    def tell(self, codes: Codes, measured: Measured) -> None:
        if self._asked is None or self._asked[0] != codes:
            self._drop()
            self._study.enqueue_trial({f"s{s}": v for s, v in enumerate(codes)})
            self.ask()
        assert self._asked is not None
        trial = self._asked[1]
        trial.set_user_attr(_BOUNDS, self.task.violations(measured))
        goals = [measured.cost] if self.task.kind == "epsilon" else [measured.cost, measured.loss]
        self._study.tell(trial, goals)
        self._asked = None

    def refuse(self, codes: Codes) -> None:  # noqa: ARG002  # the interface
        self._drop()

    def _drop(self) -> None:
        import optuna

        if self._asked is not None:
            self._study.tell(self._asked[1], state=optuna.trial.TrialState.FAIL)
        self._asked = None


def _sampler(task: Task, kind: str) -> BaseSampler:
    import optuna

    bounds: dict[str, Any] = {"constraints_func": _violations} if task.kind == "epsilon" else {}
    if kind == "tpe":
        return optuna.samplers.TPESampler(seed=task.seed, **bounds)
    if kind == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=task.seed, population_size=POPULATION, **bounds)
    return optuna.samplers.GPSampler(seed=task.seed, **bounds)


def _violations(trial: FrozenTrial) -> Sequence[float]:
    return list(trial.user_attrs[_BOUNDS])


register("optuna-tpe", partial(Sampler, kind="tpe"), "optuna")
register("optuna-nsga2", partial(Sampler, kind="nsga2"), "optuna")
register("optuna-gp", partial(Sampler, kind="gp"), "optuna", "torch", "scipy")
