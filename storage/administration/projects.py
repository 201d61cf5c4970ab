"""Projects: who shares an installation, and how much of it each may take."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, Select, case, func, select, update

from nas.domain.lifecycle import TrialStatus
from nas.domain.value import Value
from nas.errors import Conflict, NotFound
from storage.statements import insert_first
from storage.tables import exports, library_entries, library_uses, projects, searches, trials

DEFAULT_PROJECT = "default"
"""Exists in every database; where everything goes that names no project."""

_DONE = [status.value for status in TrialStatus if status.is_terminal]


class Quota(Value):
    """What a project may take; None is no limit.

    Attributes:
        trials: Sum of the budgets of its searches outside the trash.
        parallelism: Jobs of its searches at any one moment.
        storage_bytes: Bytes of its blocks and exports.
    """

    trials: Annotated[int, Field(ge=0)] | None = None
    parallelism: Annotated[int, Field(ge=0)] | None = None
    storage_bytes: Annotated[int, Field(ge=0)] | None = None


class Project(Value):
    """A team, or whatever shares results and limits."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    quota: Quota = Quota()
    created_at: float = 0.0


class Usage(Value):
    """What a project has taken of its quota.

    Attributes:
        trials_reserved: Sum of the budgets of its searches outside the trash.
        trials_done: Trials of those that have their verdict.
        running: Trials being evaluated at this moment.
        storage_bytes: Its blocks, each counted once and as four bytes a parameter, and its exports. A
            block that several projects draw from counts in each of them.
        searches: Searches outside the trash.
    """

    trials_reserved: int
    trials_done: int
    running: int
    storage_bytes: int
    searches: int


class SqlProjects:
    """Projects by id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, project: Project) -> None:
        """Insert a new project.

        Raises:
            Conflict: If the id is taken.
        """
        row = {"id": project.id, "created_at": project.created_at, "document": project.quota.model_dump_json()}
        if not insert_first(self._connection, projects, **row):
            raise Conflict(f"There is a project {project.id!r} already.", "Choose another id.")

    def get(self, project_id: str) -> Project:
        """One project.

        Raises:
            NotFound: If there is none.
        """
        row = self._connection.execute(select(projects).where(projects.c.id == project_id)).first()
        if row is None:
            raise _unknown(project_id)
        return _project(row)

    def list(self) -> list[Project]:
        """All projects by id."""
        return [_project(row) for row in self._connection.execute(select(projects).order_by(projects.c.id))]

    def set_quota(self, project_id: str, quota: Quota) -> None:
        """Change what a project may take; what it has taken already stays.

        Raises:
            NotFound: If there is none.
        """
        statement = update(projects).where(projects.c.id == project_id).values(document=quota.model_dump_json())
        if self._connection.execute(statement).rowcount == 0:
            raise _unknown(project_id)

    def lock(self, project_id: str) -> None:
        """Make every other transaction that locks this project wait until this one ends.

        Between reading the usage and writing what adds to it: two submissions could otherwise both fit.

        Raises:
            NotFound: If there is none.
        """
        # SQLite's writers take turns anyway.
        statement = select(projects.c.id).where(projects.c.id == project_id).with_for_update()
        if self._connection.scalar(statement) is None:
            raise _unknown(project_id)

    def usage(self, project_id: str) -> Usage:
        """What a project has taken; zeros for one that never submitted anything."""
        kept = (searches.c.project == project_id) & searches.c.deleted_at.is_(None)
        reserved = select(func.count(), func.coalesce(func.sum(searches.c.budget), 0)).where(kept)
        count, budget = self._connection.execute(reserved).one()
        done, running = self._connection.execute(_trials_standing(kept)).one()
        stored = sum(int(self._connection.scalar(part) or 0) for part in _stored_bytes(project_id))
        return Usage(trials_reserved=budget, trials_done=done, running=running, storage_bytes=stored, searches=count)


def _trials_standing(of_searches: Any) -> Select[int, int]:
    def counted(condition: Any) -> Any:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    return (
        select(counted(trials.c.status.in_(_DONE)), counted(trials.c.status == TrialStatus.RUNNING.value))
        .join_from(searches, trials)
        .where(of_searches)
    )


def _stored_bytes(project_id: str) -> tuple[Select[int], Select[int]]:
    used = select(library_uses.c.key).join_from(library_uses, searches).where(searches.c.project == project_id)
    blocks = select(func.sum(library_entries.c.size_bytes)).where(library_entries.c.key.in_(used))
    return blocks, select(func.sum(exports.c.size_bytes)).where(exports.c.project == project_id)


def _project(row: Any) -> Project:
    return Project(id=row.id, quota=Quota.model_validate_json(row.document), created_at=row.created_at)


def _unknown(project_id: str) -> NotFound:
    return NotFound(f"There is no project {project_id[:64]!r}.", "List the projects to see their ids.")
