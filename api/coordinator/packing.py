"""Packs networks that somebody asked for: exports as jobs, whatever the state of their search."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import structlog

from api.coordinator.surroundings import Surroundings
from api.exports import export_job
from nas.domain.job import ExportedNetwork, Failure, Job, Outcome
from nas.engine.lease import Lease
from nas.engine.verdicts import backoff_s
from nas.errors import Conflict, NasError, TransientError

if TYPE_CHECKING:
    from storage.administration import Export

log = logging.getLogger(__name__)

AT_ONCE = 4
MOST_ATTEMPTS = 3
AGAIN_S = 5.0
"""Pause before an export that another coordinator packs is looked at again."""


class Packing:
    """Takes waiting exports, a few at once, each under a lease of its own."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._packers: dict[str, Packer] = {}
        self._not_before: dict[str, float] = {}

    def __len__(self) -> int:
        """Networks that are being packed."""
        return sum(packer.is_alive() for packer in self._packers.values())

    def step(self) -> None:
        """Start what waits and is free."""
        self._packers = {name: packer for name, packer in self._packers.items() if packer.is_alive()}
        with self._around.installation.database.reader() as uow:
            waiting = uow.exports.waiting()
        names = {export.id for export in waiting}
        self._not_before = {name: at for name, at in self._not_before.items() if name in names}
        for export in waiting:
            is_free = export.id not in self._packers and time.monotonic() >= self._not_before.get(export.id, 0.0)
            if is_free and len(self._packers) < AT_ONCE:
                self._not_before[export.id] = time.monotonic() + AGAIN_S
                self._packers[export.id] = Packer(export, self._around)
                self._packers[export.id].start()

    def retire(self) -> None:
        """Let go of everything; other coordinators pack it."""
        for packer in self._packers.values():
            packer.retire()


class Packer(threading.Thread):
    """One export and the thread that sees to it."""

    def __init__(self, export: Export, around: Surroundings) -> None:
        super().__init__(name=f"export-{export.id}", daemon=True)
        self._export = export
        self._around = around
        self._open = around.installation.database.unit_of_work
        ttl_s = around.installation.settings.lease_ttl_s
        self._lease = Lease(self._open, around.clock, f"export:{export.id}", around.holder, ttl_s)
        self._retires = threading.Event()

    def retire(self) -> None:
        """Have the export let go; from any thread."""
        self._retires.set()

    def run(self) -> None:
        """Pack the network and write down where it is, or why there is none."""
        with structlog.contextvars.bound_contextvars(search=self._export.search, trial=self._export.trial):
            try:
                self._lease.acquire(0.0)
                with self._around.heart.keeping(self._lease):
                    self._pack()
            except Conflict:
                log.debug("export is packed elsewhere")
            except TransientError as error:
                log.warning("export has to wait: %s", error)
            except Exception:
                log.exception("export crashed")
                self._keep(status="failed", failure=Failure(code="internal_error", message="A bug.", transient=False))
            finally:
                self._lease.release()

    def _pack(self) -> None:
        try:
            with self._around.installation.database.reader() as uow:
                job = export_job(uow, self._export.search, self._export.trial)
        except TransientError:
            raise
        except NasError as error:
            self._keep(status="failed", failure=Failure(code=error.code, message=str(error), transient=False))
            return
        self._keep(status="running")
        for attempt in range(1, MOST_ATTEMPTS + 1):
            outcome = self._answer(job)
            if outcome is None:
                return
            if isinstance(outcome.result, ExportedNetwork):
                packed = outcome.result
                self._keep(status="done", artifact=packed.artifact, size_bytes=packed.size_bytes)
                return
            failure = outcome.failure or Failure(code="evaluation_error", message="No answer.", transient=False)
            if not failure.transient or attempt == MOST_ATTEMPTS:
                self._keep(status="failed", failure=failure)
                return
            self._retires.wait(backoff_s(attempt))

    def _answer(self, job: Job) -> Outcome | None:
        """The outcome of the job; None when this process lets go of it."""
        client = self._around.pool.client(f"export:{self._export.id}", self._export.project, 1)
        try:
            client.submit(job)
            while not self._retires.is_set() and self._lease.is_held:
                for outcome in client.poll(1.0):
                    return outcome
            return None
        finally:
            client.close()

    def _keep(self, **changes: object) -> None:
        with self._open() as uow:
            self._lease.require(uow)
            before = uow.exports.get(self._export.id)
            self._export = before.evolve(**changes)
            uow.exports.replace(before.status, self._export)
            uow.commit()
