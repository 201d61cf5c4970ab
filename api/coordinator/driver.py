"""Drives one search in a thread of its own."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import Literal

import structlog

from api.coordinator.surroundings import Surroundings
from nas.domain.job import Failure
from nas.domain.search import Search
from nas.engine.events import EngineEvent
from nas.engine.lease import LeaseLost
from nas.engine.loop import SearchLoop
from nas.engine.pace import Pace
from nas.errors import Conflict, NasError, TransientError
from nas.ports import JobBackend

log = logging.getLogger(__name__)

LEVELS = {"search": logging.INFO, "retry": logging.WARNING, "suggestion": logging.WARNING}
"""How loud events are told; the others are for debugging."""
LONGEST_WAIT_S = 5.0
"""Pause between two tries to reach a database that is away."""

Farewell = Literal["driving", "at rest", "driven elsewhere", "hindered", "crashed"]


class Driver(threading.Thread):
    """A search and the thread that drives it.

    Attributes:
        search: As it stood when the driver began.
        farewell: How it ended: `hindered` by the world, or `crashed` for a reason nobody foresaw.
        began: Monotonic time.
    """

    def __init__(self, search: Search, around: Surroundings) -> None:
        super().__init__(name=f"search-{search.id}", daemon=True)
        self.search = search
        self.farewell: Farewell = "driving"
        self.began = time.monotonic()
        self._around = around
        self._loop: SearchLoop | None = None
        self._retiring: float | None = None
        self._starting = threading.Lock()

    def run(self) -> None:
        """Drive the search to its rest, and say how it ended."""
        with structlog.contextvars.bound_contextvars(search=self.search.id):
            self.farewell = self._drive()

    def retire(self, patience_s: float) -> None:
        """Have the search let go; from any thread."""
        with self._starting:
            self._retiring = patience_s
            if self._loop is not None:
                self._loop.retire(patience_s)

    def _drive(self) -> Farewell:
        around, search = self._around, self.search
        client = around.pool.client(search.id, search.project, search.spec.parallelism)
        try:
            status = self._begin(client).run()
            log.info("search is let go", extra={"status": status.value})
        except LeaseLost as error:
            around.metrics.lease_losses.inc()
            log.warning("search was lost: %s", error)
            return "driven elsewhere"
        except Conflict:
            return "driven elsewhere"
        except TransientError as error:
            log.warning("search cannot be driven now: %s", error)
            return "hindered"
        except NasError as error:
            log.warning("search fails: %s", error)
            return self.fail(error.code, str(error))
        except Exception:
            log.exception("search crashed its driver")
            return "crashed"
        finally:
            client.close()
        return "at rest"

    def fail(self, code: str, message: str) -> Farewell:
        """End the search: it cannot be driven, whoever tries."""
        client = self._around.pool.client(self.search.id, self.search.project, 1)
        try:
            self._make_loop((), client).fail(Failure(code=code, message=message, transient=False))
        except Conflict:
            return "driven elsewhere"
        except TransientError as error:
            log.warning("search cannot be failed now: %s", error)
            return "hindered"
        finally:
            client.close()
        return "at rest"

    def _begin(self, client: JobBackend) -> SearchLoop:
        self._around.load_ahead(self.search)
        loop = self._make_loop(self._around.stages(self.search), client)
        with self._starting:
            self._loop = loop
            if self._retiring is not None:
                loop.retire(self._retiring)
        return loop

    def _make_loop(self, stages: tuple[str, ...], client: JobBackend) -> SearchLoop:
        around = self._around
        database = around.installation.database
        return SearchLoop(
            self.search.id,
            stages,
            open_unit_of_work=database.unit_of_work,
            open_reader=database.reader,
            backend=client,
            clock=around.clock,
            make_strategy=around.make_strategy,
            observe=self._observe,
            holder=around.holder,
            heart=around.heart,
            pace=Pace(
                lease_ttl_s=around.installation.settings.lease_ttl_s,
                most_hiccups=math.inf,
                longest_wait_s=LONGEST_WAIT_S,
            ),
        )

    def _observe(self, event: EngineEvent) -> None:
        self._around.metrics.observe(event)
        facts = {name: value for name, value in event.facts.items() if name not in ("number", "message")}
        if "number" in event.facts:
            facts["trial"] = event.facts["number"]
        log.log(LEVELS.get(event.kind, logging.DEBUG), "%s", event.kind, extra=facts)
