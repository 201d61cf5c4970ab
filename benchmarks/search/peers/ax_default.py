"""Ax's default Bayesian optimisation (Client) over ordered integers, with bounds as outcome constraints.

The search of its acquisition starts from fewer points than by default (3 instead of 20, of 128 instead of 1,024): by
default a suggestion takes up to twenty seconds. The warm-up is attached and counts as its initial design.
"""

# ruff: noqa: D102  # the base class says what each of them does

from __future__ import annotations

import logging
import warnings
from typing import Any

from benchmarks.search.landscape import Measured
from benchmarks.search.methods import Codes, Method, Task, register

OPTIMIZER = {"num_restarts": 3, "raw_samples": 128}


class AxDefault(Method):
    """Ax's Client behind the bench's interface."""

    patience = 2

    def __init__(self, task: Task) -> None:
        from ax.api.client import Client
        from ax.api.configs import ChoiceParameterConfig
        from ax.utils.common.logger import ROOT_STREAM_HANDLER

        super().__init__(task)
        ROOT_STREAM_HANDLER.setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
        _without_extension()
        self._client = Client(random_seed=task.seed)
        self._client.configure_experiment(
            [
                ChoiceParameterConfig(name=f"s{s}", values=list(range(n)), parameter_type="int", is_ordered=True)
                for s, n in enumerate(task.cardinalities)
                if n > 1
            ]
        )
        if task.kind == "front":
            self._client.configure_optimization(objective="-cost, -loss")
        else:
            bounds = [f"loss <= {task.epsilon!r}"]
            if task.latency_at_most is not None:
                bounds.append(f"latency <= {task.latency_at_most!r}")
            self._client.configure_optimization(objective="-cost", outcome_constraints=bounds)
        self._client.set_generation_strategy(_strategy())
        self._asked: tuple[Codes, int] | None = None

    def tell(self, codes: Codes, measured: Measured) -> None:
        if self._asked is None or self._asked[0] != codes:
            self._drop()
            parameters = {f"s{s}": v for s, v in enumerate(codes) if self.task.cardinalities[s] > 1}
            self._asked = codes, self._client.attach_trial(parameters)
        data: dict[str, Any] = {"cost": (measured.cost, 0.0), "loss": (measured.loss, measured.sem)}
        if self.task.latency_at_most is not None and self.task.kind == "epsilon":
            data["latency"] = (measured.latency, 0.0)
        self._client.complete_trial(self._asked[1], raw_data=data)
        self._asked = None

    def ask(self) -> Codes:
        (number, parameters), *_ = self._client.get_next_trials(max_trials=1).items()
        codes = tuple(int(parameters.get(f"s{s}", 0)) for s in range(len(self.task.cardinalities)))
        self._asked = codes, number
        return codes

    def refuse(self, codes: Codes) -> None:  # noqa: ARG002  # the interface
        self._drop()

    def _drop(self) -> None:
        if self._asked is not None:
            self._client.mark_trial_abandoned(self._asked[1])
        self._asked = None


def _strategy() -> Any:
    from ax.adapter.registry import Generators
    from ax.generation_strategy.generation_node import GenerationNode
    from ax.generation_strategy.generation_strategy import GenerationStrategy
    from ax.generation_strategy.generator_spec import GeneratorSpec

    options = {"model_gen_options": {"optimizer_kwargs": OPTIMIZER}}
    spec = GeneratorSpec(generator_enum=Generators.BOTORCH_MODULAR, generator_gen_kwargs=options)
    return GenerationStrategy(name="default", nodes=[GenerationNode(name="MBM", generator_specs=[spec])])


def _without_extension() -> None:
    """BoTorch would compile one when its hypervolume acquisition is made; a killed build locks for ever."""
    from botorch.acquisition.multi_objective import logei

    logei._load_attempted = True


register("ax", AxDefault, "ax", "botorch")
