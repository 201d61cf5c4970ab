"""One coordinator per search: an expiring lease with a fencing token."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from nas.errors import Conflict
from nas.ports import Clock, OpenUnitOfWork, UnitOfWork

log = logging.getLogger(__name__)

RETRY_S = 0.5
"""Pause between two tries for a lease that somebody holds."""


class Lease:
    """The right to drive one search.

    Args:
        name: What is leased.
        holder: Who asks; unique per process, because a holder may take its own lease again.
        ttl_s: Seconds after which the lease of a dead holder is free, by the database's clock.
    """

    def __init__(self, open_unit_of_work: OpenUnitOfWork, clock: Clock, name: str, holder: str, ttl_s: float) -> None:
        self._open = open_unit_of_work
        self._clock = clock
        self._name = name
        self._holder = holder
        self._ttl_s = ttl_s
        self._token: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether it was acquired and not given back."""
        return self._token is not None

    def acquire(self, patience_s: float) -> None:
        """Take the lease, waiting up to `patience_s` for a dead holder's to expire.

        Raises:
            Conflict: If somebody else holds it all that time.
        """
        deadline = self._clock.now() + patience_s
        while not self._try():
            if self._clock.now() >= deadline:
                raise Conflict(
                    f"Search {self._name!r} is driven by another process.",
                    f"Watch it there. If that process is dead, its lease expires within {self._ttl_s:.0f} s.",
                )
            self._clock.sleep(RETRY_S)

    def require(self, uow: UnitOfWork) -> None:
        """Extend the lease inside a transaction, so that nothing is written without it.

        Raises:
            Conflict: If it was lost; stop at once, somebody else drives the search.
        """
        if self._token is None or not uow.leases.renew(self._name, self._token, self._ttl_s):
            self._token = None
            raise Conflict(f"The lease of search {self._name!r} was lost.", "Another process took it over.")

    def release(self) -> None:
        """Give the lease back, so that the next driver need not wait."""
        token, self._token = self._token, None
        if token is not None:
            with self._open() as uow:
                uow.leases.release(self._name, token)
                uow.commit()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Renew in the background, for the minutes a suggestion or a slow disk may take."""
        stop = threading.Event()
        heart = threading.Thread(target=self._beat, args=(stop,), name=f"lease-{self._name}", daemon=True)
        heart.start()
        try:
            yield
        finally:
            stop.set()
            heart.join()

    def _try(self) -> bool:
        with self._open() as uow:
            self._token = uow.leases.acquire(self._name, self._holder, self._ttl_s)
            uow.commit()
        return self._token is not None

    def _beat(self, stop: threading.Event) -> None:
        while not stop.wait(self._ttl_s / 3):
            token = self._token
            if token is None:
                continue
            try:
                with self._open() as uow:
                    uow.leases.renew(self._name, token, self._ttl_s)
                    uow.commit()
            except Exception as error:  # the next beat, or `require`, decides
                log.warning("The lease of %s could not be renewed: %s", self._name, error)
