"""A search: what was asked (the spec, immutable) and how far it has come."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from nas.domain.architecture import Architecture
from nas.domain.device import LatencyProtocol
from nas.domain.job import Failure, Resources
from nas.domain.library import Distillation
from nas.domain.lifecycle import Intent, SearchStatus, require_search_step
from nas.domain.metric import LATENCIES, Metric, MetricName, on_device
from nas.domain.objective import OutcomeConstraint, Problem, require_one_grid
from nas.domain.search_space import SearchSpace
from nas.domain.stopping import limits_of
from nas.domain.teacher import Calibration, TeacherRef
from nas.domain.value import FrozenDict, Value

MOST_DEVICES = 8
"""Devices that one search may time."""
ONE_DEVICE, SEVERAL_DEVICES = "[one device]", "[several devices]"
"""How validation errors tell the two forms of `latency` apart."""


class Budget(Value):
    """What a search may spend.

    Attributes:
        trials: Architectures tried, the teacher included. Met exactly, also across crashes.
        wall_time_s: Seconds of running, pauses left out; None for no limit.
    """

    trials: Annotated[int, Field(ge=1, le=100_000)] = 40
    wall_time_s: Annotated[float, Field(gt=0, le=31_536_000)] | None = None


class FidelityProtocol(Value):
    """How candidates are judged against the teacher.

    Attributes:
        batch: Latents per forward pass.
        stop_early: End an evaluation when a fidelity is clearly beyond its bound, after an eighth, a quarter or
            half of the hold-out samples.
    """

    metrics: Annotated[tuple[MetricName, ...], Field(min_length=1)] = (
        "noise_mse",
        "noise_mse_relative",
        "feature_distance",
    )
    batch: Annotated[int, Field(ge=1, le=4096)] = 16
    stop_early: bool = True


class LatencySpec(Value):
    """Which device is timed, and how.

    Attributes:
        device: Registered device.
        measure_front: Measure the assembled networks of the final front, not only their table price.
        queue_timeout_s: How long a measurement waits for its device before it counts as failed.
    """

    device: str = "host"
    protocol: LatencyProtocol = LatencyProtocol()
    measure_front: bool = True
    queue_timeout_s: Annotated[float, Field(gt=0, le=604_800)] = 3600.0


def _how_many(given: object) -> str:
    return SEVERAL_DEVICES if isinstance(given, list | tuple) else ONE_DEVICE


DeviceOrDevices = Annotated[
    Annotated[LatencySpec, Tag(ONE_DEVICE)]
    | Annotated[tuple[LatencySpec, ...], Field(min_length=1, max_length=MOST_DEVICES), Tag(SEVERAL_DEVICES)],
    Discriminator(_how_many),
]


class TimedOn(Value):
    """One of a search's devices, and what its latencies are called in this search.

    Attributes:
        position: Among the devices; the first one's latencies go by their plain names.
    """

    position: int
    spec: LatencySpec

    @property
    def table_metric(self) -> Metric:
        """Sum of isolated latencies."""
        return self._own(LATENCIES[0])

    @property
    def metric(self) -> Metric:
        """Latency of assembled networks."""
        return self._own(LATENCIES[1])

    def _own(self, metric: Metric) -> Metric:
        return metric if self.position == 0 else on_device(metric, self.spec.device)


class StrategySpec(Value):
    """What proposes the next architecture.

    Attributes:
        name: Registered strategy: `auto` is `epsilon_constraint` for one objective and `pareto` for two.
        initial_trials: Trials before the response model takes over, the teacher included.
    """

    name: Annotated[str, Field(max_length=64)] = "auto"
    initial_trials: Annotated[int, Field(ge=1, le=10_000)] = 8


class SearchSpec(Value):
    """Everything a search is asked to do; stored with it and never changed.

    Attributes:
        space: Variants per stage; stages left out keep the teacher's block; empty means the
            teacher's default space.
        latency: The device to be timed, or several of them.
        max_attempts: Attempts per trial against transient faults.
    """

    schema_version: Literal[1] = 1
    name: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\w .:+-]+$")]
    teacher: TeacherRef = TeacherRef()
    space: FrozenDict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = FrozenDict()
    calibration: Calibration = Calibration()
    distillation: Distillation = Distillation()
    fidelity: FidelityProtocol = FidelityProtocol()
    latency: DeviceOrDevices | None = None
    objectives: Annotated[tuple[MetricName, ...], Field(min_length=1, max_length=2)] = ("params",)
    constraints: Annotated[tuple[OutcomeConstraint, ...], Field(max_length=8)] = ()
    strategy: StrategySpec = StrategySpec()
    budget: Budget = Budget()
    parallelism: Annotated[int, Field(ge=1, le=256)] = 2
    resources: Resources = Resources()
    trial_timeout_s: Annotated[float, Field(gt=0, le=604_800)] = 1800.0
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def _distinct_objectives(self) -> SearchSpec:
        if len(set(self.objectives)) != len(self.objectives):
            raise ValueError("objectives repeat")
        require_one_grid(self.objectives, self.constraints)
        names = {on_device(LATENCIES[0], timed.spec.device).name for timed in self.devices}
        if len(names) < len(self.devices):
            raise ValueError("latency names a device twice")
        return self

    @property
    def devices(self) -> tuple[TimedOn, ...]:
        """Every device that is timed, the first one first."""
        asked = (self.latency,) if isinstance(self.latency, LatencySpec) else self.latency or ()
        return tuple(TimedOn(position=position, spec=spec) for position, spec in enumerate(asked))

    def timed_for(self, problem: Problem) -> tuple[TimedOn, ...]:
        """The devices that promising trials are timed on, because the problem speaks of their measured latency."""
        return tuple(timed for timed in self.devices if timed.metric.name in problem.metrics)

    @property
    def problem(self) -> Problem:
        """The problem as first asked; later versions belong to the search."""
        return Problem(objectives=self.objectives, constraints=self.constraints)


class Search(Value):
    """One search.

    Attributes:
        id: Short unique name, chosen at submission.
        space: The resolved search space.
        stages: Every stage of the teacher, searched or not, in order of execution, so that whoever drives
            the search need not build the teacher; empty in rows of the first schema.
        problems: Versions of objectives and bounds; the last is in force.
        ran_s: Seconds spent running before the present run.
        failure: Why it failed.
        project: Who pays for it and who may see it.
        kind: A `dry_run` sends one architecture from end to end, to tell what the real search would take.
        parent: Id of the search it was cloned from; empty if it was not.
        seeds: Architectures tried first, the best of an earlier search.
        deleted_at: Unix time at which it was put into the trash; None while it is not there.
    """

    id: str
    spec: SearchSpec
    space: SearchSpace
    stages: tuple[str, ...] = ()
    problems: Annotated[tuple[Problem, ...], Field(min_length=1)]
    status: SearchStatus = SearchStatus.CREATED
    intent: Intent = Intent.RUN
    created_at: float = 0.0
    ran_s: float = 0.0
    failure: Failure | None = None
    project: Annotated[str, Field(min_length=1, max_length=64)] = "default"
    kind: Literal["search", "dry_run"] = "search"
    parent: str = ""
    seeds: tuple[Architecture, ...] = ()
    deleted_at: float | None = None

    @property
    def problem(self) -> Problem:
        """The problem in force."""
        return self.problems[-1]

    @property
    def bounds_version(self) -> int:
        """Number of the problem in force; the spec's own is version 0."""
        return len(self.problems) - 1

    @property
    def stop_beyond(self) -> FrozenDict[str, float]:
        """Limits beyond which an evaluation ends early; none in a dry run, which tells what a whole one takes."""
        if not self.spec.fidelity.stop_early or self.kind == "dry_run":
            return FrozenDict()
        return limits_of(self.problem.constraints, self.spec.fidelity.metrics)

    def become(self, status: SearchStatus, **changes: object) -> Search:
        """The search after a legal step.

        Raises:
            IllegalTransition: If the lifecycle does not have this step.
        """
        require_search_step(self.status, status)
        after: Search = self.evolve(status=status, **changes)
        return after
