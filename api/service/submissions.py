"""From a document to a stored search: once for each idempotency key, within the quota, with an audit line."""

from __future__ import annotations

import hashlib
import json
import random
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from api.access import Caller, new_id
from api.refusals import QuotaExceeded
from api.service.devices import device_names
from api.service.ledger import note
from api.service.visible import visible_search
from api.service.warm_start import best_architectures
from api.specs import CheckedSpec
from nas.domain.architecture import Architecture
from nas.domain.metric import is_exact
from nas.domain.objective import Problem
from nas.domain.search import Search
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.value import FrozenDict
from nas.errors import Conflict, NotFound

if TYPE_CHECKING:
    from api.service.state import Service
    from storage.unit_of_work import SqlUnitOfWork


@dataclass(frozen=True)
class Order:
    """What somebody wants to have searched.

    Attributes:
        document: The spec, as read.
        project: Whose search it will be.
        idempotency_key: The same key with the same order makes one search, however often it is sent.
        warm_start: Id of an earlier search whose best architectures are tried first.
        warm_start_trials: How many of them.
        parent: Id of the search that it was cloned from.
    """

    document: dict[str, Any]
    project: str
    kind: Literal["search", "dry_run"] = "search"
    idempotency_key: str | None = None
    warm_start: str | None = None
    warm_start_trials: int = 16
    parent: str = ""

    @property
    def digest(self) -> str:
        """What an idempotency key stands for."""
        parts = [self.kind, self.document, self.warm_start, self.warm_start_trials, self.parent]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def submit(service: Service, caller: Caller, order: Order) -> tuple[Search, bool]:
    """Store a search; returns it and whether it is new. The coordinators do the rest.

    Raises:
        SpecError: With every fault of the spec.
        Conflict: If the idempotency key stands for another order.
        QuotaExceeded: If the project has too many trials reserved, or too many bytes.
        NotFound: If there is no such project, or no such search to start from.
    """
    with service.reader() as uow:
        uow.projects.get(order.project)
        earlier = _made_before(uow, order)
        if earlier is not None:
            return earlier, False
        source = None if order.warm_start is None else visible_search(uow, caller, order.warm_start)
    checked = service.desk.check(order.document, device_names(service))
    search = _search_of(checked, order)
    if source is not None:
        search = search.evolve(seeds=_seeds(service, source, search, order.warm_start_trials))
    with service.writer() as uow:
        uow.projects.lock(order.project)
        earlier = _made_before(uow, order)
        if earlier is not None:
            return earlier, False
        require_quota(uow, order.project, search.spec.budget.trials)
        uow.searches.add(search)
        if order.idempotency_key is not None:
            uow.idempotency.record(order.project, order.idempotency_key, order.digest, search.id, search.created_at)
        action = "create dry run" if order.kind == "dry_run" else "create search"
        note(uow, caller, action, search.id, project=order.project, at=search.created_at)
        uow.commit()
    return search, True


def require_quota(uow: SqlUnitOfWork, project_id: str, more_trials: int) -> None:
    """Refuse what a project has no room for.

    Raises:
        QuotaExceeded: Naming what is used and what is allowed.
    """
    quota, usage = uow.projects.get(project_id).quota, uow.projects.usage(project_id)
    wanted = usage.trials_reserved + more_trials
    if quota.trials is not None and wanted > quota.trials:
        raise QuotaExceeded(
            f"Project {project_id!r} has {usage.trials_reserved} trials reserved and may reserve {quota.trials}; "
            f"this needs {more_trials} more.",
            "Delete searches, lower the budget, or have the quota raised.",
        )
    if quota.storage_bytes is not None and usage.storage_bytes >= quota.storage_bytes:
        raise QuotaExceeded(
            f"Project {project_id!r} stores {usage.storage_bytes} bytes and may store {quota.storage_bytes}.",
            "Delete searches and exports, or have the quota raised.",
        )


def _made_before(uow: SqlUnitOfWork, order: Order) -> Search | None:
    if order.idempotency_key is None:
        return None
    known = uow.idempotency.recall(order.project, order.idempotency_key)
    if known is None:
        return None
    digest, search_id = known
    if digest != order.digest:
        raise Conflict(
            "This Idempotency-Key was used for another request.",
            "Use a new key for each request; a UUID will do.",
        )
    try:
        return uow.searches.get(search_id)
    except NotFound:
        raise Conflict(
            "What this Idempotency-Key made was deleted for good.", "Use a new key to make another."
        ) from None


def _search_of(checked: CheckedSpec, order: Order) -> Search:
    spec, space = checked.spec, checked.space
    problem = spec.problem
    if order.kind == "dry_run":
        # The spec keeps the whole space, which the estimate needs; the search has one architecture of it.
        spec = spec.evolve(space=FrozenDict({choices.stage: choices.variants for choices in space.stages}))
        space = _only(space, space.sample(random.Random(spec.seed)))
        problem = _without_exact_bounds(problem)  # whatever it costs, it is to be measured
    search = Search(
        id=f"{_slug(spec.name)}-{new_id(6)}",
        spec=spec,
        space=space,
        stages=checked.stages,
        problems=(problem,),
        created_at=time.time(),
        project=order.project,
        kind=order.kind,
        parent=order.parent,
    )
    return search


def _only(space: SearchSpace, architecture: Architecture) -> SearchSpace:
    return SearchSpace(
        stages=tuple(
            StageChoices(stage=choices.stage, variants=(architecture.variant(choices.stage),))
            for choices in space.stages
        )
    )


def _without_exact_bounds(problem: Problem) -> Problem:
    kept = tuple(bound for bound in problem.constraints if not is_exact(bound.metric))
    return Problem(objectives=problem.objectives, constraints=kept)


def _seeds(service: Service, source: Search, search: Search, count: int) -> tuple[Architecture, ...]:
    with service.reader() as uow, service.points.of(uow, source) as columns:
        best = best_architectures(columns, source.problem)
    fitting = (architecture for architecture in best if architecture in search.space)
    room = min(count, search.spec.budget.trials)
    return tuple(architecture for _, architecture in zip(range(room), fitting, strict=False))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-") or "search"
