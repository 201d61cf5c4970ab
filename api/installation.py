"""One installation: its settings, its database and its workspace, opened on demand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from api.settings import Settings, read_settings
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.errors import TransientError

if TYPE_CHECKING:
    from storage.unit_of_work import Database
    from storage.workspaces import AnyWorkspace


class Installation:
    """Where a command works.

    Args:
        data: Folder given on the command line; None takes the settings'.
        settings: Read already; None reads the environment.
    """

    def __init__(self, data: Path | None = None, *, settings: Settings | None = None) -> None:
        found = settings or read_settings()
        self.settings = found.model_copy(update={"data": data}) if data is not None else found
        self._database: Database | None = None

    @property
    def database(self) -> Database:
        """The database, migrated to this version's schema.

        Raises:
            TransientError: If it cannot be reached, or its folder cannot be made.
            Conflict: If it belongs to a newer version.
        """
        from storage.unit_of_work import open_database

        if self._database is None:
            self._make_data()
            database = open_database(self.settings.database_url)
            database.migrate()
            self._database = database
        return self._database

    def _make_data(self) -> None:
        data = self.settings.data
        try:
            data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TransientError(f"{data} cannot be made: {error.strerror}.", "Name another --data.") from None

    @property
    def workspace(self) -> AnyWorkspace:
        """What workers may touch."""
        from storage.workspaces import open_workspace

        return open_workspace(self.settings.data.resolve(), self.settings.artifacts)

    def searches(self) -> list[Search]:
        """All searches, newest first."""
        with self.database.reader() as uow:
            return list(uow.searches.list())

    def search(self, search_id: str) -> Search:
        """One search.

        Raises:
            NotFound: If there is none.
        """
        with self.database.reader() as uow:
            return uow.searches.get(search_id)

    def search_with_trials(self, search_id: str) -> tuple[Search, list[Trial]]:
        """One search and its trials; `latest` names the newest search.

        Raises:
            NotFound: With the nearest known id.
        """
        with self.database.reader() as uow:
            searches = uow.searches.list() if search_id == "latest" else ()
            search = searches[0] if searches else uow.searches.get(search_id)
            return search, list(uow.trials.of_search(search.id))
