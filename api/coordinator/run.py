"""Entry of the coordinator process."""

from __future__ import annotations

import logging
import threading

from api.composition import SystemClock, _make_strategy
from api.installation import Installation
from api.logs import configure_logging
from api.settings import Settings
from api.teachers import teacher_stages
from nas.engine.loop import SearchLoop
from nas.engine.pace import Pace
from nas.errors import Conflict, NasError

log = logging.getLogger(__name__)


def run_coordinator(settings: Settings, stop: threading.Event, *, metrics_port: int = 0) -> None:
    """Drive searches until `stop` is set."""
    from workers.ray_backend import RayBackend

    del metrics_port
    configure_logging(settings.log_format, settings.log_level)
    installation = Installation(settings=settings)
    backend = RayBackend(installation.workspace, address=settings.ray_address, cpus=settings.slots or None)
    try:
        while not stop.wait(0.5):
            for search in reversed(installation.searches()):
                if search.status.is_terminal or search.intent.value == "pause" or stop.is_set():
                    continue
                loop = SearchLoop(
                    search.id,
                    teacher_stages(search.spec.teacher),
                    open_unit_of_work=installation.database.unit_of_work,
                    open_reader=installation.database.reader,
                    backend=backend,
                    clock=SystemClock(),
                    make_strategy=_make_strategy,
                    pace=Pace(lease_ttl_s=settings.lease_ttl_s),
                )
                try:
                    log.info("search ended", extra={"search": search.id, "status": loop.run().value})
                except Conflict:
                    log.info("driven elsewhere", extra={"search": search.id})
                except NasError as error:
                    log.warning("not driven: %s", error, extra={"search": search.id})
    finally:
        backend.close()
