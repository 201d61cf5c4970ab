"""One coordinator per search: an expiring lease with a fencing token."""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from nas.errors import Conflict, TransientError
from nas.ports import Clock, OpenUnitOfWork, UnitOfWork

log = logging.getLogger(__name__)

RETRY_S = 0.5
"""Pause between two tries for a lease that somebody holds."""


def unique_holder() -> str:
    """A name for whoever takes a lease: host, process, and a random part."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


class LeaseLost(Conflict):
    """Somebody else drives the search now; write nothing more and let go of its workers."""


class Lease:
    """The right to drive one search, or to do another thing that only one process may do.

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
        self._changing = threading.Lock()

    @property
    def is_held(self) -> bool:
        """Whether it was acquired, and not given back or found lost since."""
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
            LeaseLost: If somebody else has it.
        """
        if not self.renew(uow):
            raise self.loss()

    def renew(self, uow: UnitOfWork) -> bool:
        """Extend the lease inside a transaction; False, and held no longer, when it was lost."""
        token = self._token
        if token is None:
            return False
        if uow.leases.renew(self._name, token, self._ttl_s):
            return True
        with self._changing:
            if self._token == token:  # and not, meanwhile, acquired anew by another thread
                self._token = None
        return False

    def loss(self) -> LeaseLost:
        """The error of a driver without its lease."""
        return LeaseLost(f"The lease of {self._name!r} was lost.", "Another process took it over.")

    def release(self) -> None:
        """Give the lease back, so that the next driver need not wait. Without a database, it expires."""
        token, self._token = self._token, None
        if token is None:
            return
        try:
            with self._open() as uow:
                uow.leases.release(self._name, token)
                uow.commit()
        except TransientError as error:
            log.warning("The lease of %s is left to expire: %s", self._name, error)

    def _try(self) -> bool:
        with self._open() as uow:
            token = uow.leases.acquire(self._name, self._holder, self._ttl_s)
            uow.commit()
        with self._changing:
            self._token = token
        return token is not None


class Heart:
    """Renews the leases of one process in the background, all of them in one transaction.

    Needed for the minutes that a suggestion or a slow disk may take. Beats while its block lasts.
    """

    def __init__(self, open_unit_of_work: OpenUnitOfWork, ttl_s: float) -> None:
        self._open = open_unit_of_work
        self._pause_s = ttl_s / 3
        self._leases: set[Lease] = set()
        self._changing = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="leases", daemon=True)

    def __enter__(self) -> Heart:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    @contextmanager
    def keeping(self, lease: Lease) -> Iterator[None]:
        """Renew a lease while the block lasts."""
        with self._changing:
            self._leases.add(lease)
        try:
            yield
        finally:
            with self._changing:
                self._leases.discard(lease)

    def _beat(self) -> None:
        while not self._stop.wait(self._pause_s):
            with self._changing:
                held = [lease for lease in self._leases if lease.is_held]
            if not held:
                continue
            try:
                with self._open() as uow:
                    for lease in held:
                        lease.renew(uow)
                    uow.commit()
            except Exception as error:  # the next beat, or the next transaction, decides
                log.warning("%d leases could not be renewed: %s", len(held), error)
