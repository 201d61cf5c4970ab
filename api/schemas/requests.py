"""What clients write. Strict and bounded: names, lists and numbers have limits."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

from api.schemas.administration import Role
from api.schemas.base import Request
from nas.domain.lifecycle import Intent
from nas.domain.metric import MetricName
from nas.domain.objective import MOST_EPSILONS

ProjectId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="Id of a project.")]
Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\w .:+@-]+$")]


def _whole(value: object) -> object:
    # JSON knows one kind of number: 3.0 is as whole as 3.
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
Limit = Annotated[Whole, Field(ge=0, le=2**53)]


def _with_example(**fields: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [fields]})


class IntentChange(Request):
    """What is wanted of a search."""

    model_config = _with_example(intent="pause")

    intent: Annotated[Intent, Field(strict=False)]


class BoundRequest(Request):
    """An upper bound on a metric, in the metric's own unit.

    Attributes:
        grid: Tighter values to be answered as well; left out: those in force, as far as they are tighter still.
    """

    model_config = _with_example(metric="noise_mse_relative", at_most=0.04)

    metric: MetricName
    at_most: Annotated[float, Field(gt=0, le=1e30)]
    grid: Annotated[list[Annotated[float, Field(gt=0, le=1e30)]], Field(max_length=MOST_EPSILONS)] | None = None


class BoundsMove(Request):
    """New bounds, as a whole: what is left out no longer binds.

    Attributes:
        objectives: Left out: as before.
        base_version: The version this was derived from; refused when it is no longer in force.
    """

    model_config = _with_example(constraints=[{"metric": "noise_mse_relative", "at_most": 0.04}], base_version=0)

    constraints: Annotated[list[BoundRequest], Field(max_length=8)]
    objectives: Annotated[list[MetricName], Field(min_length=1, max_length=2)] | None = None
    base_version: Annotated[Whole, Field(ge=0, le=2**31)] | None = None


class CloneRequest(Request):
    """What differs from the search that is cloned.

    Attributes:
        changes: Merge patch of its spec (RFC 7396): null removes a field.
        warm_start: Whether the clone tries the best architectures of the original first.
    """

    model_config = _with_example(changes={"name": "wider", "budget": {"trials": 96}}, warm_start=True)

    changes: dict[str, Any] = {}
    warm_start: bool = False


class ExportRequest(Request):
    """Which trial's network is wanted; left out: the best."""

    model_config = _with_example(trial=7)

    trial: Annotated[Whole, Field(ge=0, le=2**31)] | None = None


class QuotaRequest(Request):
    """What a project may use; null means no limit."""

    model_config = _with_example(trials=10_000, parallelism=16, storage_bytes=None)

    trials: Limit | None = None
    parallelism: Limit | None = None
    storage_bytes: Limit | None = None


class NewProject(Request):
    """A project to make."""

    model_config = _with_example(project="vision", quota={"trials": 10_000})

    project: ProjectId
    quota: QuotaRequest = QuotaRequest()


class KeyRequest(Request):
    """A key to make.

    Attributes:
        expires_at: Unix seconds; left out: never.
    """

    model_config = _with_example(name="nightly builds", role="submitter", expires_at=None)

    name: Name
    role: Role
    expires_at: Annotated[float, Field(gt=0, le=1e11)] | None = None
