"""Asks Ax: our problem as an Ax experiment, our models and acquisition inside its Modular BoTorch.

A generation node fits one model per metric (`LogResponseGP` for what is measured, `KnownCostModel`
for what is known) and lets `KnownCostAcquisition` choose among the candidates. The experiment is
built anew from the trials for every question and never stored: Ax keeps no state of its own.
"""

# mypy: allow-subclassing-any
# Ax, BoTorch and GPyTorch are Any to the type checker, and their classes are there to be derived from.
from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from ax.adapter.registry import Generators, Mixed_transforms
from ax.adapter.transforms.derelativize import Derelativize
from ax.core.arm import Arm
from ax.core.data import Data, DataRow
from ax.core.experiment import Experiment
from ax.core.generator_run import GeneratorRun
from ax.core.metric import Metric
from ax.core.objective import Objective
from ax.core.optimization_config import MultiObjectiveOptimizationConfig, OptimizationConfig
from ax.core.outcome_constraint import OutcomeConstraint
from ax.core.parameter import ChoiceParameter, ParameterType
from ax.core.search_space import SearchSpace
from ax.generation_strategy.generation_node import GenerationNode
from ax.generation_strategy.generator_spec import GeneratorSpec
from ax.generators.torch.botorch_modular.acquisition import Acquisition
from ax.generators.torch.botorch_modular.surrogate import Surrogate, SurrogateSpec
from ax.generators.torch.botorch_modular.utils import ModelConfig
from ax.utils.common.constants import Keys
from ax.utils.common.logger import ROOT_STREAM_HANDLER
from botorch.acquisition.input_constructors import acqf_input_constructor
from botorch.models.model import Model
from torch import Tensor

from nas.strategy.acquisition import KnownCostAcquisition
from nas.strategy.baseline import Task
from nas.strategy.response import KnownCostModel, LogResponseGP

ROOT_STREAM_HANDLER.setLevel(logging.ERROR)  # Ax narrates on the terminal; errors still get through


@dataclass(frozen=True)
class Estimated:
    """How a measured metric is modelled.

    Attributes:
        tables: What each variant of each stage is thought to contribute, for the prior mean, `d x k`.
        noise_sd: Expected noise of the log of each measurement, `n`.
        noise_width: How little its level is known.
    """

    tables: Tensor
    noise_sd: Tensor
    noise_width: float


@dataclass(frozen=True)
class Exact:
    """How an exact metric is computed: variant numbers `... x d` in, values `...` out."""

    price: Callable[[Tensor], Tensor]


Outcomes = dict[str, Estimated | Exact]


class ExhaustiveAcquisition(Acquisition):
    """Ax's wrapper around an acquisition function, optimised by scoring every candidate."""

    def optimize(self, n: int, **_: Any) -> tuple[Tensor, Tensor, Tensor]:
        """The `n` best candidates, their scores and equal weights."""
        chosen, scores = cast(KnownCostAcquisition, self.acqf).choose(n)
        return chosen, scores, torch.ones(len(chosen), dtype=torch.float64)

    def _update_objective_thresholds(self, torch_opt_config: Any) -> None:
        """Leave reference points to the acquisition function, which knows what costs are attainable."""


class ResponseModels(Surrogate):
    """Ax's container of fitted models, without its search for the best point so far: verdicts decide that."""

    def best_in_sample_point(self, *_: Any, **__: Any) -> tuple[Tensor, float]:
        """Refuse, as Ax does for two objectives."""
        raise NotImplementedError


def _construct(model: Model, training_data: Any, task: Task, metrics: dict[str, str], **_: Any) -> dict[str, Any]:
    names = list(training_data) if isinstance(training_data, dict) else training_data.outcome_names
    models = getattr(model, "models", [model])
    return {"models": {metrics[name]: m for name, m in zip(names, models, strict=True)}, "task": task}


acqf_input_constructor(KnownCostAcquisition)(_construct)


def ask(cardinalities: tuple[int, ...], outcomes: Outcomes, task: Task, count: int) -> list[list[int]]:
    """Up to `count` variant numbers that Ax's generation node suggests.

    Args:
        cardinalities: Variants per stage, two at least.
        outcomes: How each metric of the task is modelled.
        task: The question.
        count: How many candidates are wanted.
    """
    count = min(count, len(task.candidates))
    if not any(isinstance(outcome, Estimated) for outcome in outcomes.values()):
        return _compute(outcomes, task, count)
    experiment = _experiment(cardinalities, outcomes, task)
    run = _node(outcomes, task).gen(
        experiment=experiment, data=experiment.lookup_data(), n=count, pending_observations=None
    )
    if run is None:  # only for nodes that a generation strategy may skip; ours is none
        return []
    stages = [_stage(number) for number in range(len(cardinalities))]
    return [[cast(int, arm.parameters[stage]) for stage in stages] for arm in run.arms]


def _compute(outcomes: Outcomes, task: Task, count: int) -> list[list[int]]:
    """The answer when every metric is exact: nothing to fit, so no experiment either."""
    models = {m: KnownCostModel(o.price) for m, o in outcomes.items() if isinstance(o, Exact)}
    chosen, _ = KnownCostAcquisition(dict(models), task).choose(count)
    return [[int(code) for code in row] for row in chosen.tolist()]


def _node(outcomes: Outcomes, task: Task) -> GenerationNode:
    spec = SurrogateSpec(
        metric_to_model_configs={_named(metric, outcome): [_model(outcome)] for metric, outcome in outcomes.items()},
        allow_batched_models=False,
    )
    return GenerationNode(
        name="known_cost",
        generator_specs=[
            GeneratorSpec(
                Generators.BOTORCH_MODULAR,
                generator_kwargs={
                    "surrogate": ResponseModels(surrogate_spec=spec),
                    "acquisition_class": ExhaustiveAcquisition,
                    "acquisition_options": {Keys.SUBSET_MODEL: False},
                    "botorch_acqf_class": KnownCostAcquisition,
                    "botorch_acqf_options": {"task": task, "metrics": {_named(m, o): m for m, o in outcomes.items()}},
                    "transforms": [*Mixed_transforms, Derelativize],
                    "fit_tracking_metrics": False,
                },
            )
        ],
    )


def _model(outcome: Estimated | Exact) -> ModelConfig:
    estimated = isinstance(outcome, Estimated)
    return ModelConfig(
        botorch_model_class=LogResponseGP if estimated else KnownCostModel,
        model_options={name: value for name, value in vars(outcome).items() if name != "noise_sd"},
        input_transform_classes=None,
    )


def _experiment(cardinalities: tuple[int, ...], outcomes: Outcomes, task: Task) -> Experiment:
    names = {metric: _named(metric, outcome) for metric, outcome in outcomes.items()}
    parameters = [
        ChoiceParameter(_stage(s), ParameterType.INT, list(range(n)), is_ordered=False)
        for s, n in enumerate(cardinalities)
    ]
    objective = Objective(
        ", ".join(f"-{names[metric]}" for metric in task.objectives),
        metric_name_to_signature={name: name for name in names.values()},
    )
    experiment = Experiment(
        search_space=SearchSpace(parameters),
        optimization_config=_optimization(objective, names, task),
        metrics=[Metric(name, lower_is_better=True) for name in names.values()],
    )
    rows = [[int(code) for code in row] for row in task.judged.tolist()]
    arms = [Arm({_stage(s): code for s, code in enumerate(row)}, name=str(n)) for n, row in enumerate(rows)]
    trial = experiment.new_batch_trial(GeneratorRun(arms))
    trial.mark_running(no_runner_required=True)
    experiment.attach_data(Data(data_rows=list(_data(outcomes, task))))
    trial.mark_completed()
    return experiment


def _optimization(objective: Objective, names: dict[str, str], task: Task) -> OptimizationConfig:
    # Ax refuses bounds on an objective, and knows one set of them; the acquisition function finds all in its task.
    limits = [
        OutcomeConstraint(
            f"{names[metric]} <= {math.log(bound):.17f}", metric_name_to_signature={names[metric]: names[metric]}
        )
        for metric, bound in task.targets[0]
        if metric not in task.objectives
    ]
    kind = OptimizationConfig if len(task.objectives) == 1 else MultiObjectiveOptimizationConfig
    return kind(objective, limits)


def _data(outcomes: Outcomes, task: Task) -> Iterator[DataRow]:
    for metric, outcome in outcomes.items():
        name = _named(metric, outcome)
        if isinstance(outcome, Exact):
            values = outcome.price(task.judged)
            errors = torch.zeros_like(values)
        else:
            # A metric that is exactly zero (the teacher against itself) has no logarithm and is no datum.
            values, errors = task.measured[metric].clamp_min(0.0).log(), outcome.noise_sd
        for number, (value, error) in enumerate(zip(values.tolist(), errors.tolist(), strict=True)):
            if math.isfinite(value):
                yield DataRow(0, str(number), name, name, value, error)


def _named(metric: str, outcome: Estimated | Exact) -> str:
    return f"log_{metric}" if isinstance(outcome, Estimated) else metric


def _stage(number: int) -> str:
    return f"stage_{number}"
