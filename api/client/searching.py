"""The client's methods about searches and their trials."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeVar, overload

from api.client.events import followed
from api.client.transport import D, Transport
from api.schemas.base import Page
from api.schemas.events import EventDocument, EventPage
from api.schemas.fronts import FrontDocument, HypervolumeDocument, PointsDocument
from api.schemas.hardware import HardwareReport
from api.schemas.insight import HealthReport, RecommendationDocument
from api.schemas.library import SearchLibrary
from api.schemas.searches import BoundsDocument, BoundsHistory, SearchDocument, Validation
from api.schemas.trials import TrialDetail, TrialDocument
from nas.domain.lifecycle import SearchStatus
from nas.domain.search import SearchSpec

Spec = Mapping[str, Any] | str
"""A spec as plain values, or as YAML or JSON text."""

T = TypeVar("T")
_AT_REST = (SearchStatus.PAUSED,)


class Searching:
    """Searches, from submission to the front. `search` arguments are ids, or `latest`."""

    _transport: Transport

    @overload
    def submit(self, spec: Spec, *, check: Literal[True], project: str | None = None) -> Validation: ...

    @overload
    def submit(
        self,
        spec: Spec,
        *,
        idempotency_key: str | None = None,
        check: Literal[False] = False,
        warm_start: str | None = None,
        warm_start_trials: int | None = None,
        project: str | None = None,
    ) -> SearchDocument: ...

    def submit(
        self,
        spec: Spec,
        *,
        idempotency_key: str | None = None,
        check: bool = False,
        warm_start: str | None = None,
        warm_start_trials: int | None = None,
        project: str | None = None,
    ) -> SearchDocument | Validation:
        """Submit a search, or with `check` only validate its spec.

        Args:
            spec: What to search for.
            idempotency_key: Makes it safe to repeat; also lets the client repeat it by itself.
            check: Only say whether it could be submitted.
            warm_start: Id of an earlier search whose best architectures are tried first.
            warm_start_trials: How many of them.
            project: For a key of the whole installation: where it belongs.

        Raises:
            SpecError: With every fault of the spec.
            QuotaExceeded: If the project has no room for it.
        """
        if check:
            return self._write(Validation, "/v1/searches", spec, {"check": True, "project": project})
        params = {"warm_start": warm_start, "warm_start_trials": warm_start_trials, "project": project}
        return self._write(SearchDocument, "/v1/searches", spec, params, idempotency_key)

    def dry_run(
        self, spec: Spec, *, idempotency_key: str | None = None, project: str | None = None
    ) -> SearchDocument:
        """Try one random architecture of a spec end to end."""
        return self._write(SearchDocument, "/v1/dry-runs", spec, {"project": project}, idempotency_key)

    def searches(
        self,
        *,
        status: SearchStatus | str | None = None,
        name: str | None = None,
        trash: bool | None = None,
        kind: str | None = None,
        project: str | None = None,
        page_size: int = 100,
    ) -> Iterator[SearchDocument]:
        """All searches that match, newest first; pages are fetched as they are needed."""
        wanted = status.value if isinstance(status, SearchStatus) else status
        params = {"status": wanted, "name": name, "trash": trash, "kind": kind, "project": project}
        return self._pages(Page[SearchDocument], "/v1/searches", params, page_size, "cursor")

    def search(self, search: str = "latest") -> SearchDocument:
        """One search."""
        return self._transport.ask(SearchDocument, "GET", f"/v1/searches/{search}")

    def set_intent(self, search: str, intent: str) -> SearchDocument:
        """Say what is wanted of a search: `run`, `pause` or `cancel`."""
        return self._transport.ask(SearchDocument, "PATCH", f"/v1/searches/{search}", json={"intent": intent})

    def delete(self, search: str) -> None:
        """Put a search into the trash."""
        self._transport.send("DELETE", f"/v1/searches/{search}")

    def restore(self, search: str) -> SearchDocument:
        """Take a search out of the trash."""
        return self._transport.ask(SearchDocument, "POST", f"/v1/searches/{search}/restore")

    def clone(
        self,
        search: str,
        changes: Mapping[str, Any] | None = None,
        *,
        warm_start: bool = False,
        idempotency_key: str | None = None,
    ) -> SearchDocument:
        """Submit the spec of a search again, changed by a merge patch."""
        body = {"changes": dict(changes or {}), "warm_start": warm_start}
        path = f"/v1/searches/{search}/clone"
        return self._transport.ask(SearchDocument, "POST", path, json=body, idempotency_key=idempotency_key)

    def spec(self, search: str) -> SearchSpec:
        """The spec of a search, complete."""
        return self._transport.ask(SearchSpec, "GET", f"/v1/searches/{search}/spec")

    def bounds(self, search: str) -> list[BoundsDocument]:
        """Every version of a search's bounds, oldest first."""
        return self._transport.ask(BoundsHistory, "GET", f"/v1/searches/{search}/bounds").items

    def move_bounds(
        self,
        search: str,
        constraints: Mapping[str, float],
        objectives: list[str] | None = None,
        base_version: int | None = None,
    ) -> BoundsDocument:
        """Put new bounds in force: metric to its largest allowed mean; what is left out no longer binds.

        Raises:
            Conflict: If `base_version` is no longer in force.
            SpecError: If no architecture can meet a bound, with the tightest attainable value.
        """
        body: dict[str, Any] = {
            "constraints": [{"metric": metric, "at_most": value} for metric, value in constraints.items()]
        }
        body |= {} if objectives is None else {"objectives": objectives}
        body |= {} if base_version is None else {"base_version": base_version}
        return self._transport.ask(BoundsDocument, "POST", f"/v1/searches/{search}/bounds", json=body)

    def trials(
        self,
        search: str,
        *,
        status: str | None = None,
        feasible: bool | None = None,
        origin: str | None = None,
        after: int | None = None,
        bounds_version: int | None = None,
        page_size: int = 200,
    ) -> Iterator[TrialDocument]:
        """Trials of a search in the order of their numbers; pages are fetched as they are needed."""
        params = {
            "status": status,
            "feasible": feasible,
            "origin": origin,
            "after": after,
            "bounds_version": bounds_version,
        }
        return self._pages(Page[TrialDocument], f"/v1/searches/{search}/trials", params, page_size, "after")

    def trial(self, search: str, number: int) -> TrialDetail:
        """One trial in full."""
        return self._transport.ask(TrialDetail, "GET", f"/v1/searches/{search}/trials/{number}")

    def points(self, search: str, *, after: int = -1, after_event: int = -1, limit: int = 1000) -> PointsDocument:
        """Trials column by column."""
        params = {"after": after, "after_event": after_event, "limit": limit}
        return self._transport.ask(PointsDocument, "GET", f"/v1/searches/{search}/points", params=params)

    def front(self, search: str, bounds_version: int | None = None) -> FrontDocument:
        """The trials no other trial beats."""
        params = {"bounds_version": bounds_version}
        return self._transport.ask(FrontDocument, "GET", f"/v1/searches/{search}/front", params=params)

    def hypervolume(self, search: str, bounds_version: int | None = None) -> HypervolumeDocument:
        """How the front grew."""
        params = {"bounds_version": bounds_version}
        return self._transport.ask(HypervolumeDocument, "GET", f"/v1/searches/{search}/hypervolume", params=params)

    def health(self, search: str) -> HealthReport:
        """How far the model of a search can be trusted, and what is left to find."""
        return self._transport.ask(HealthReport, "GET", f"/v1/searches/{search}/health")

    def hardware(self, search: str) -> HardwareReport:
        """How params, MACs and latencies agree, device by device."""
        return self._transport.ask(HardwareReport, "GET", f"/v1/searches/{search}/hardware")

    def recommendation(
        self, search: str, bounds: Mapping[str, float] | None = None, bounds_version: int | None = None
    ) -> RecommendationDocument:
        """What to take by the model, under the bounds in force or a version of them.

        Args:
            search: The search.
            bounds: What if these were in force besides: metric to largest allowed value, infinite for none.
            bounds_version: Start from this version of the bounds.

        Raises:
            SpecError: If they speak of what is not measured.
        """
        asked = [f"{metric}:{value}" for metric, value in (bounds or {}).items()]
        params = {"bound": asked or None, "bounds_version": bounds_version}
        path = f"/v1/searches/{search}/recommendation"
        return self._transport.ask(RecommendationDocument, "GET", path, params=params)

    def library(self, search: str) -> SearchLibrary:
        """The block library of a search."""
        return self._transport.ask(SearchLibrary, "GET", f"/v1/searches/{search}/library")

    def events(self, search: str, after: int = 0, *, follow: bool = False) -> Iterator[EventDocument]:
        """Events of a search after an id; with `follow` also those to come, until the search has ended.

        A lost connection is made again, and nothing is missed or repeated.
        """
        return followed(self._transport, search, after) if follow else self._logged(search, after)

    def wait(
        self,
        search: str,
        observe: Callable[[EventDocument], None] | None = None,
        *,
        timeout_s: float | None = None,
    ) -> SearchDocument:
        """Wait until a search has ended or is paused.

        Args:
            search: Its id.
            observe: Called with every event meanwhile, those of the past first.
            timeout_s: Give up after so long, and answer where it stands.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        for event in followed(self._transport, search, 0):
            if observe is not None:
                observe(event)
            if event.kind == "search" and event.facts.get("status") in ("paused",):
                found = self.search(search)
                if found.status in _AT_REST:
                    return found
            if deadline is not None and time.monotonic() > deadline:
                break
        return self.search(search)

    def _logged(self, search: str, after: int) -> Iterator[EventDocument]:
        following: int | None = after
        while following is not None:
            params = {"after": following, "limit": 500}
            page = self._transport.ask(EventPage, "GET", f"/v1/searches/{search}/events", params=params)
            yield from page.items
            following = page.next

    def _write(
        self, answer: type[D], path: str, spec: Spec, params: Mapping[str, Any], idempotency_key: str | None = None
    ) -> D:
        text = spec if isinstance(spec, str) else None
        document = None if isinstance(spec, str) else dict(spec)
        return self._transport.ask(
            answer, "POST", path, params=params, json=document, text=text, idempotency_key=idempotency_key
        )

    def _pages(
        self, form: type[Page[D]], path: str, params: Mapping[str, Any], page_size: int, cursor_name: str
    ) -> Iterator[D]:
        given: dict[str, Any] = {**params, "limit": page_size}
        while True:
            page = self._transport.ask(form, "GET", path, params=given)
            yield from page.items
            if page.next is None:
                return
            given[cursor_name] = page.next
