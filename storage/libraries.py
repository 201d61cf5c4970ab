"""Block libraries as their users see them: the blocks of one teacher, calibration and distillation."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, func, select

from nas.domain.library import LibraryEntry
from nas.domain.search import Search
from nas.domain.value import Value
from nas.errors import NotFound
from storage.searches import COLUMNS, composed
from storage.tables import exports, library_entries, library_uses, searches


class LibrarySummary(Value):
    """One library, as far as a project has a part in it.

    Attributes:
        id: Digest of teacher, calibration and distillation.
        entries: Blocks that these searches draw from.
        searches: Ids of the searches, newest first.
    """

    id: str
    entries: int
    searches: tuple[str, ...]


class SqlLibraries:
    """Libraries of a project; with None in the place of the project, of the whole installation."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, project: str | None = None) -> Sequence[LibrarySummary]:
        """Libraries, the last one used first."""
        visible = select(searches.c.library, searches.c.id).order_by(searches.c.created_at.desc(), searches.c.id)
        by_library: dict[str, list[str]] = {}
        for row in self._connection.execute(visible.where(*_of(project))):
            by_library.setdefault(row.library, []).append(row.id)
        # First distinct, then counted: PostgreSQL sorts all uses, as texts of a language, to count distinct ones.
        blocks = select(searches.c.library, library_uses.c.key).join_from(library_uses, searches).distinct()
        distinct = blocks.where(*_of(project)).subquery()
        rows = self._connection.execute(select(distinct.c.library, func.count()).group_by(distinct.c.library))
        entries: dict[str, int] = {row[0]: row[1] for row in rows}
        return [
            LibrarySummary(id=library, entries=entries.get(library, 0), searches=tuple(ids))
            for library, ids in by_library.items()
        ]

    def entries(self, library_id: str, project: str | None = None) -> Sequence[LibraryEntry]:
        """Blocks of a library that the project's searches draw from, by stage and variant."""
        keys = select(library_uses.c.key).join_from(library_uses, searches)
        keys = keys.where(searches.c.library == library_id, *_of(project))
        documents = select(library_entries.c.document).where(library_entries.c.key.in_(keys))
        found = [LibraryEntry.model_validate_json(document) for document in self._connection.scalars(documents)]
        return sorted(found, key=lambda entry: (entry.stage, entry.variant))

    def example(self, library_id: str, project: str | None = None) -> Search:
        """The newest search that draws from a library: its spec says how the library is made.

        Raises:
            NotFound: If the project has no such search.
        """
        newest = select(*COLUMNS).where(searches.c.library == library_id, *_of(project))
        row = self._connection.execute(newest.order_by(searches.c.created_at.desc(), searches.c.id).limit(1)).first()
        if row is None:
            raise NotFound(f"There is no library {library_id[:64]!r}.", "List the libraries to see their ids.")
        return composed(self._connection, [row])[0]

    def may_read(self, project: str | None, digest: str) -> bool:
        """Whether an artifact is a block that the project's searches draw from, or an export of its own."""
        block = (
            select(library_entries.c.key)
            .join(library_uses, library_uses.c.key == library_entries.c.key)
            .join(searches, searches.c.id == library_uses.c.search)
            .where(library_entries.c.weights == digest, *_of(project))
        )
        own = () if project is None else (exports.c.project == project,)
        export = select(exports.c.id).where(exports.c.artifact == digest, *own)
        # The empty digest is what rows without an artifact hold.
        return bool(digest) and any(
            self._connection.execute(found.limit(1)).first() is not None for found in (block, export)
        )


def _of(project: str | None) -> tuple[ColumnElement[bool], ...]:
    return () if project is None else (searches.c.project == project,)
