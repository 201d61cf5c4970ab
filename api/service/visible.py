"""What a caller may see. Everything else does not exist for it: not found, never forbidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.access import DEFAULT_PROJECT, Caller
from nas.domain.objective import Problem
from nas.domain.search import Search
from nas.errors import NotFound

if TYPE_CHECKING:
    from storage.administration import Export
    from storage.unit_of_work import SqlUnitOfWork

LATEST = "latest"


def visible_search(uow: SqlUnitOfWork, caller: Caller, search_id: str) -> Search:
    """One search; `latest` names the newest outside the trash.

    Raises:
        NotFound: If there is none, or it belongs to another project.
    """
    if search_id == LATEST:
        return _latest(uow, caller)
    try:
        search = uow.searches.get(search_id)
    except NotFound:
        raise _unknown_search(search_id) from None
    if not caller.sees(search.project):
        raise _unknown_search(search_id)
    return search


def visible_export(uow: SqlUnitOfWork, caller: Caller, export_id: str) -> Export:
    """One export.

    Raises:
        NotFound: If there is none, or it belongs to another project.
    """
    export = uow.exports.get(export_id)
    if not caller.sees(export.project):
        raise NotFound(f"There is no export {export_id[:64]!r}.", "List the search's exports to see their ids.")
    return export


def project_of(caller: Caller, asked: str | None) -> str:
    """The project that something new belongs to.

    Raises:
        NotFound: If the caller's key is for another project.
    """
    if asked is not None and not caller.sees(asked):
        raise NotFound(f"There is no project {asked!r}.", "Leave it out: the key is for one project.")
    return asked or caller.project or DEFAULT_PROJECT


def problem_of(search: Search, version: int | None) -> tuple[int, Problem]:
    """A version of the bounds; None takes the one in force.

    Raises:
        NotFound: If there is no such version.
    """
    last = len(search.problems) - 1
    if version is None:
        return last, search.problem
    if version > last:
        raise NotFound(f"Search {search.id!r} has no bounds version {version}.", f"Its versions are 0 to {last}.")
    return version, search.problems[version]


def _latest(uow: SqlUnitOfWork, caller: Caller) -> Search:
    from storage.search_pages import SearchFilter

    rows, _ = uow.search_pages.page(SearchFilter(project=caller.project), None, 1)
    if not rows:
        raise NotFound("There are no searches yet.", "Submit one: blocksmith submit SPEC")
    return rows[0].search


def _unknown_search(search_id: str) -> NotFound:
    return NotFound(f"There is no search {search_id[:80]!r}.", "List the searches to see their ids.")
