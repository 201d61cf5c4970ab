"""What one API process keeps in memory; nothing that would be missed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.access import LOCAL_CALLER, Caller, caller_of, split_token
from api.installation import Installation
from api.metrics import Metrics
from api.refusals import Unauthorized
from api.service.attempts import FailedAttempts
from api.service.blocks import BlockCache
from api.service.event_hub import EventHub
from api.service.insight_desk import InsightDesk
from api.service.points import PointCache
from api.service.spec_desk import SpecDesk
from nas.errors import NotFound

if TYPE_CHECKING:
    from storage.unit_of_work import Database, SqlUnitOfWork


class Service:
    """The memory of one API process.

    Args:
        installation: What it serves.
        own_token: Accepted as an admin of the whole installation, for the process that serves itself.

    Attributes:
        points: Columns of the searches asked about last.
        blocks: Library entries found before.
        desk: Checks specs.
        insights: Asks searches about themselves.
        hub: Tells listeners what happens.
        metrics: Of this process.
    """

    def __init__(self, installation: Installation, own_token: str | None = None) -> None:
        self.installation = installation
        self.settings = installation.settings
        self.points = PointCache()
        self.blocks = BlockCache()
        self.desk = SpecDesk(self.settings)
        self.insights = InsightDesk()
        self.metrics = Metrics()
        self.hub = EventHub(self.reader)
        self._attempts = FailedAttempts()
        self._own_token = own_token
        self._opening = threading.Lock()

    @property
    def database(self) -> Database:
        """The database, migrated on first use.

        Raises:
            TransientError: If it cannot be reached.
        """
        with self._opening:
            return self.installation.database

    @contextmanager
    def reader(self) -> Iterator[SqlUnitOfWork]:
        """One snapshot for reading."""
        with self.database.reader() as uow:
            yield uow

    @contextmanager
    def writer(self) -> Iterator[SqlUnitOfWork]:
        """One transaction; commit it. Who listens hears of it at once."""
        with self.database.unit_of_work() as uow:
            yield uow
        self.hub.wake()

    def authenticate(self, token: str, address: str, now: float) -> Caller:
        """Who sent a token.

        Raises:
            Unauthorized: If it is not valid.
            TooManyRequests: If the address failed too often.
        """
        if self._own_token is not None and token == self._own_token:
            return LOCAL_CALLER
        self._attempts.require_patience(address, token)
        try:
            caller = self._caller(token, now)
        except Unauthorized:
            self._attempts.note_failure(address)
            raise
        self._attempts.note_success(token)
        return caller

    def _caller(self, token: str, now: float) -> Caller:
        key_id, secret = split_token(token)
        with self.reader() as uow:
            try:
                key = uow.keys.get(key_id)
            except NotFound:
                key = None
        return caller_of(key, secret, now)

    def close(self) -> None:
        """Release threads."""
        self.desk.close()
        self.insights.close()
