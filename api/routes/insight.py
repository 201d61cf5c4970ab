"""What a search says about itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from api.border.guards import AnyCaller, BoundsVersion, SearchId, ServiceOf
from api.routes.declared import READS, router
from api.schemas.hardware import HardwareReport
from api.schemas.insight import HealthReport, RecommendationDocument
from api.service.hardware import read_hardware
from api.service.insights import read_health, read_recommendation, standing
from api.service.visible import problem_of, visible_search
from api.views import Document
from nas.errors import Fault, SpecError

routes = router("trials")

Bounds = Annotated[
    list[Annotated[str, Query(pattern=r"^[a-z][a-z0-9_]{0,63}:(inf|[0-9.eE+-]{1,32})$")]],
    Query(
        max_length=8,
        description="`METRIC:VALUE`: what if this bound were in force, or with `inf` none; may be given repeatedly.",
        examples=[["noise_mse:0.02"]],
    ),
]


@routes.get("/searches/{search}/health", response_model=HealthReport, responses=READS)
def health(service: ServiceOf, caller: AnyCaller, search: SearchId) -> Document:
    """Read how far the model of a search can be trusted, and what is left to find.

    Leave-one-out errors, calibration, additivity of block losses, stage sensitivities and the probability
    that something better remains, with a remedy for whatever is amiss. The models are fitted for
    the first question after a trial has ended, in a process aside, which takes a second or two, and some seconds
    more where that process has to be started; the answer is kept until the next trial. Who would wait for too
    long gets 503 and finds the answer later.
    """
    with service.reader() as uow:
        stands = standing(service, uow, visible_search(uow, caller, search))
    return read_health(service, stands)


@routes.get("/searches/{search}/hardware", response_model=HardwareReport, responses=READS)
def hardware(service: ServiceOf, caller: AnyCaller, search: SearchId) -> Document:
    """Read how params, MACs and latencies agree, device by device.

    Agreement in order, what each stage weighs, the front of each figure and how the fronts disagree, how far tables
    are from assembled networks, and examples of networks that have less and take longer, in words. The answer is kept
    until the search's next event.
    """
    with service.reader() as uow:
        return read_hardware(service, uow, visible_search(uow, caller, search))


@routes.get("/searches/{search}/recommendation", response_model=RecommendationDocument, responses=READS)
def recommendation(
    service: ServiceOf,
    caller: AnyCaller,
    search: SearchId,
    bound: Bounds = [],  # noqa: B006  # FastAPI copies it
    bounds_version: BoundsVersion = None,
) -> Document:
    """Read what to take, under the bounds in force or under others, from what has been measured.

    `bound` adds a bound or takes the place of the one on its metric; nothing is stored and no evaluation is lost.
    """
    with service.reader() as uow:
        found = visible_search(uow, caller, search)
        _, problem = problem_of(found, bounds_version)
        stands = standing(service, uow, found)
    return read_recommendation(service, stands, problem, dict(_parsed(one) for one in bound))


def _parsed(bound: str) -> tuple[str, float]:
    metric, _, number = bound.partition(":")
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise SpecError((Fault("?bound", f"{number!r} is no positive number", f"{metric}:0.02"),))
    return metric, value
