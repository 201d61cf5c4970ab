"""Whom a command talks to: a named server, the one that serves its data directory, or nobody but itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.client import Client
    from api.installation import Installation


@dataclass(frozen=True)
class Place:
    """Where a command works.

    Attributes:
        data: Data directory of the command line; None takes the settings'.
        url: Server of the command line.
        key: API key of the command line.
    """

    data: Path | None = None
    url: str | None = None
    key: str | None = None

    @property
    def installation(self) -> Installation:
        """The data directory, for commands that work without a server."""
        from api.installation import Installation

        return Installation(self.data)

    def server(self) -> tuple[str, str | None] | None:
        """URL and key of the server in charge, or None: then this process does the work itself.

        Flags win over a server that runs on the data directory.
        """
        from api.up.local_key import read_local_key
        from api.up.record import running_server

        if self.url:
            return self.url, self.key
        data = self.installation.settings.data
        record = running_server(data)
        if record is None:
            return None
        return record.url, self.key or read_local_key(data)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client of the server in charge, or of the same app inside this process.

        Raises:
            TransientError: If the server does not answer.
        """
        from api.client import Client
        from api.logs import configure_logging

        server = self.server()
        if server is not None:
            with Client(*server) as client:
                yield client
            return
        configure_logging(log_level="error")  # of the app inside this process
        with Client.local(self.installation) as client:
            yield client
