"""What users change about a search: intent, trash, bounds."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from api.access import Caller
from api.service.devices import device_names
from api.service.ledger import note, tell
from api.service.submissions import require_quota
from api.service.visible import visible_search
from api.spec_checks import faults_of_bounds, unattainable_bounds, unmeasured_latencies
from nas.domain.cost import ExactCosts
from nas.domain.faults import faults_of
from nas.domain.lifecycle import Intent, SearchStatus
from nas.domain.objective import Problem
from nas.domain.search import Search, SearchSpec
from nas.engine.events import Fact
from nas.errors import Conflict, Fault, SpecError

if TYPE_CHECKING:
    from api.service.state import Service

_AT_REST = frozenset(
    {
        SearchStatus.CREATED,
        SearchStatus.PAUSED,
        SearchStatus.COMPLETED,
        SearchStatus.CANCELLED,
        SearchStatus.FAILED,
    }
)


def change_intent(service: Service, caller: Caller, search_id: str, intent: Intent) -> Search:
    """Say what is wanted of a search; its coordinator follows within a second.

    Raises:
        Conflict: If it has ended, or lies in the trash.
    """
    now = time.time()
    with service.writer() as uow:
        search = visible_search(uow, caller, search_id)
        if search.status.is_terminal:
            raise Conflict(
                f"Search {search.id!r} is {search.status.value}; it has ended for good.", "Clone it to go on."
            )
        if search.deleted_at is not None:
            raise Conflict(f"Search {search.id!r} is in the trash.", "Restore it first.")
        if search.intent is not intent:
            if search.intent is Intent.CANCEL:
                raise Conflict(f"Search {search.id!r} is being cancelled; that is final.", "Clone it to go on.")
            uow.searches.set_intent(search.id, intent)
            tell(uow, search.id, "intent", {"intent": intent.value, "by": caller.key}, now)
            note(uow, caller, f"{intent.value} search", search.id, project=search.project, at=now)
            uow.commit()
    after: Search = search.evolve(intent=intent)
    return after


def delete(service: Service, caller: Caller, search_id: str) -> Search:
    """Put a search into the trash; retention removes it for good after some days.

    Raises:
        Conflict: While it runs.
    """
    now = time.time()
    with service.writer() as uow:
        search = visible_search(uow, caller, search_id)
        if search.deleted_at is not None:
            return search
        wanted_at_rest = search.status is not SearchStatus.CREATED or search.intent is not Intent.RUN
        if search.status not in _AT_REST or not wanted_at_rest:
            raise Conflict(f"Search {search.id!r} is {search.status.value}.", "Pause or cancel it first.")
        uow.searches.trash(search.id, now)
        tell(uow, search.id, "trash", {"deleted": True, "by": caller.key}, now)
        note(uow, caller, "delete search", search.id, project=search.project, at=now)
        uow.commit()
    after: Search = search.evolve(deleted_at=now)
    return after


def restore(service: Service, caller: Caller, search_id: str) -> Search:
    """Take a search out of the trash.

    Raises:
        QuotaExceeded: If the project has no room for its trials any more.
    """
    now = time.time()
    with service.writer() as uow:
        search = visible_search(uow, caller, search_id)
        if search.deleted_at is None:
            return search
        uow.projects.lock(search.project)
        require_quota(uow, search.project, search.spec.budget.trials)
        uow.searches.trash(search.id, None)
        tell(uow, search.id, "trash", {"deleted": False, "by": caller.key}, now)
        note(uow, caller, "restore search", search.id, project=search.project, at=now)
        uow.commit()
    after: Search = search.evolve(deleted_at=None)
    return after


def move_bounds(
    service: Service,
    caller: Caller,
    search_id: str,
    constraints: list[dict[str, Any]],
    objectives: list[str] | None,
    base_version: int | None,
) -> tuple[int, Problem, float]:
    """Put new bounds in force; every trial is judged by them from now on. Returns version, problem, time.

    Raises:
        SpecError: If they speak of what is not measured, or no architecture can meet one.
        Conflict: If `base_version` is no longer in force, or the search lies in the trash.
    """
    with service.reader() as uow:
        search = visible_search(uow, caller, search_id)
        costs = service.blocks.costs(uow, search)
    problem = _checked(service, search, constraints, objectives or list(search.problem.objectives), costs)
    now = time.time()
    with service.writer() as uow:
        search = visible_search(uow, caller, search_id)
        if search.deleted_at is not None:
            raise Conflict(f"Search {search.id!r} is in the trash.", "Restore it first.")
        version = uow.searches.add_bounds(search.id, problem, caller.key, now)
        if base_version is not None and version != base_version + 1:
            raise Conflict(
                f"The bounds moved meanwhile: version {version - 1} is in force, not {base_version}.",
                "Read them again and decide anew.",
            )
        facts: dict[str, Fact] = {"version": version, "by": caller.key}
        facts |= {f"at_most.{bound.metric}": bound.at_most for bound in problem.constraints}
        tell(uow, search.id, "bounds", facts, now)
        detail = ", ".join(f"{bound.metric} <= {bound.at_most:g}" for bound in problem.constraints)
        note(uow, caller, "move bounds", search.id, project=search.project, at=now, detail=detail)
        uow.commit()
    return version, problem, now


def _checked(
    service: Service,
    search: Search,
    constraints: list[dict[str, Any]],
    objectives: list[str],
    costs: ExactCosts | None,
) -> Problem:
    if len(set(objectives)) != len(objectives):
        raise SpecError((Fault("/objectives", "objectives repeat", str(list(dict.fromkeys(objectives)))),))
    metrics = [bound["metric"] for bound in constraints]
    if len(set(metrics)) != len(metrics):
        raise SpecError((Fault("/constraints", "bounds one metric twice"),))
    document = {"objectives": objectives, "constraints": [_bound(one, search.problem) for one in constraints]}
    try:
        problem = Problem.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise SpecError(faults_of(error, Problem)) from None
    asked: SearchSpec = search.spec.evolve(objectives=problem.objectives, constraints=problem.constraints)
    faults = [*faults_of_bounds(asked), *unmeasured_latencies(search, problem)]
    if faults:
        raise SpecError(tuple(faults))
    if costs is None:
        # Nothing is distilled yet: price the space on the meta device, as at submission.
        service.desk.check(asked.model_dump(mode="json"), device_names(service))
    elif faults := list(unattainable_bounds(asked, search.space, costs)):
        raise SpecError(tuple(faults))
    return problem


def _bound(asked: dict[str, Any], before: Problem) -> dict[str, Any]:
    """A bound as asked for; of a grid that is not mentioned, the values tighter than the new bound stay."""
    if asked.get("grid") is not None:
        return asked
    stays = [bound.grid for bound in before.constraints if bound.metric == asked["metric"]]
    return {**asked, "grid": [epsilon for grid in stays for epsilon in grid if epsilon < asked["at_most"]]}
