"""Entry of the coordinator process."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

from api.composition import make_suggester, make_workers
from api.coordinator.coordinator import Coordinator
from api.coordinator.surroundings import Surroundings
from api.installation import Installation
from api.logs import configure_logging
from api.metrics import Metrics
from api.settings import Settings
from nas.engine.lease import Heart, unique_holder
from nas.errors import TransientError

if TYPE_CHECKING:
    from workers.executor import Execute

log = logging.getLogger(__name__)
T = TypeVar("T")

STEP_S = 0.5
SHARE_OF_STEPS = 0.1
"""Most of a core that choosing searches may take, however many there are."""
LONGEST_PAUSE_S = 2.0
"""Between two steps that went well: others wait for the coordinator's share of workers, and for its sign of life."""
LONGEST_BACKOFF_S = 5.0


def run_coordinator(
    settings: Settings, stop: threading.Event, *, metrics_port: int = 0, execute: Execute | None = None
) -> None:
    """Drive searches until `stop` is set; then drain.

    A database or a Ray that is away is waited for, however long that takes.

    Args:
        settings: Of the installation.
        stop: Set it to have the process drain: running jobs may finish for `settings.drain_s`.
        metrics_port: Where Prometheus finds the metrics, on `settings.host`; 0 serves none.
        execute: What workers do with a job; the real work by default.

    Raises:
        Conflict: If the database belongs to a newer version.
    """
    from workers.pool import Pool

    configure_logging(settings.log_format, settings.log_level)
    installation = Installation(settings=settings)
    metrics = Metrics()
    with ExitStack() as stack:
        if metrics_port:
            stack.enter_context(_served(metrics, settings.host, metrics_port))
        database = _patiently(lambda: installation.database, stop)
        if database is None:
            return
        stack.callback(database.close)
        prepare = functools.partial(configure_logging, settings.log_format, settings.log_level)
        workers = make_workers(installation, execute, prepare)
        pool = Pool(workers)
        stack.callback(pool.close)
        suggester = make_suggester(settings, prepare)
        stack.callback(suggester.close)
        heart = stack.enter_context(Heart(database.unit_of_work, settings.lease_ttl_s))
        around = Surroundings(installation, unique_holder(), pool, suggester, heart, metrics)
        coordinator = Coordinator(around, workers)
        log.info("coordinator is up", extra={"holder": around.holder})
        _turn(coordinator, stop)
        around.draining.set()
        try:
            coordinator.drain()
        except TransientError as error:
            log.warning("coordinator leaves without a farewell: %s", error)
    log.info("coordinator is down")


def _turn(coordinator: Coordinator, stop: threading.Event) -> None:
    failures = 0
    while not stop.is_set():
        # Of this thread alone: a step that waited, for a slow database or while it was stopped, cost nobody anything.
        began = time.thread_time()
        try:
            coordinator.step()
            failures = 0
        except TransientError as error:
            failures += 1
            log.warning("coordinator waits: %s", error)
        except Exception:  # nothing may end a coordinator but SIGTERM
            failures += 1
            log.exception("coordinator stumbled")
        stop.wait(pause_s(time.thread_time() - began, failures))


def pause_s(cpu_s: float, failures: int) -> float:
    """How long to wait after a step.

    Args:
        cpu_s: Computing time that the step took.
        failures: Steps in a row that failed.
    """
    if failures:
        return float(min(LONGEST_BACKOFF_S, STEP_S * 2 ** min(failures, 10)))
    return max(STEP_S, min(LONGEST_PAUSE_S, cpu_s / SHARE_OF_STEPS))


def _patiently(what: Callable[[], T], stop: threading.Event) -> T | None:
    """Try until it works; None when the process is to end first."""
    failures = 0
    while not stop.is_set():
        try:
            return what()
        except TransientError as error:
            failures += 1
            log.warning("coordinator waits: %s", error)
            stop.wait(pause_s(0.0, failures))
    return None


@contextmanager
def _served(metrics: Metrics, host: str, port: int) -> Iterator[None]:
    from prometheus_client import start_http_server

    server, thread = start_http_server(port, addr=host, registry=metrics.registry)
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
