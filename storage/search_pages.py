"""Lists of searches, page by page, without a look at any trial's document."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, func, select, tuple_

from nas.domain.lifecycle import SearchStatus, TrialStatus
from nas.domain.search import Search
from nas.domain.value import Value
from nas.errors import Fault, SpecError
from storage.searches import COLUMNS, composed
from storage.tables import searches, trials


class SearchFilter(Value):
    """Which searches are wanted.

    Attributes:
        project: None for all projects.
        statuses: Any when empty.
        name_contains: Part of the name, whatever its case.
        trashed: Those in the trash instead of those outside.
        kind: None for any.
    """

    project: str | None = None
    statuses: tuple[SearchStatus, ...] = ()
    name_contains: Annotated[str, Field(max_length=128, pattern=r"^[^\x00]*$")] = ""
    trashed: bool = False
    kind: Literal["search", "dry_run"] | None = None


class SearchRow(NamedTuple):
    """A search, the number of its trials by status, and the id of its last event."""

    search: Search
    counts: dict[TrialStatus, int]
    last_event: int


class SqlSearchPages:
    """Searches newest first."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def page(
        self, wanted: SearchFilter, cursor: str | None = None, limit: int = 50
    ) -> tuple[list[SearchRow], str | None]:
        """One page and the cursor of the next, or None at the end.

        Pages neither repeat nor skip a search when others are submitted meanwhile.

        Raises:
            SpecError: If the cursor is none of ours.
        """
        conditions = [*_conditions(wanted)]
        if cursor:
            conditions.append(tuple_(searches.c.created_at, searches.c.id) < tuple_(*_place(cursor)))
        statement = select(*COLUMNS, searches.c.last_event, searches.c.created_at).where(*conditions)
        ordered = statement.order_by(searches.c.created_at.desc(), searches.c.id.desc())
        rows = self._connection.execute(ordered.limit(limit + 1)).all()
        page = rows[:limit]
        counts = self._counts([row.id for row in page])
        found = [
            SearchRow(search, counts[row.id], row.last_event)
            for row, search in zip(page, composed(self._connection, page), strict=True)
        ]
        return found, f"{page[-1].created_at!r}~{page[-1].id}" if len(rows) > limit else None

    def heads(self, ids: Sequence[str] | None = None) -> list[tuple[str, str, str, int]]:
        """`(id, project, status, last event)` of some searches, or with None of all: cheap enough to poll."""
        statement = select(searches.c.id, searches.c.project, searches.c.status, searches.c.last_event)
        if ids is not None:
            statement = statement.where(searches.c.id.in_(ids))
        return [(row.id, row.project, row.status, row.last_event) for row in self._connection.execute(statement)]

    def _counts(self, ids: list[str]) -> dict[str, dict[TrialStatus, int]]:
        statement = select(trials.c.search, trials.c.status, func.count()).where(trials.c.search.in_(ids))
        found: dict[str, dict[TrialStatus, int]] = defaultdict(dict)
        for search, status, count in self._connection.execute(statement.group_by(trials.c.search, trials.c.status)):
            found[search][TrialStatus(status)] = count
        return found


def _conditions(wanted: SearchFilter) -> list[ColumnElement[bool]]:
    in_trash = searches.c.deleted_at.is_not(None)
    conditions: list[ColumnElement[bool]] = [in_trash if wanted.trashed else ~in_trash]
    if wanted.project is not None:
        conditions.append(searches.c.project == wanted.project)
    if wanted.statuses:
        conditions.append(searches.c.status.in_([status.value for status in wanted.statuses]))
    if wanted.name_contains:
        conditions.append(searches.c.name.icontains(wanted.name_contains, autoescape=True))
    if wanted.kind is not None:
        conditions.append(searches.c.kind == wanted.kind)
    return conditions


def _place(cursor: str) -> tuple[Any, Any]:
    created_at, _, search_id = cursor.partition("~")
    try:
        return float(created_at), search_id
    except ValueError:
        raise SpecError((Fault("/cursor", "no cursor of this list; take `next` of an answer"),)) from None
