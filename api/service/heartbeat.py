"""The sign of life of an API process, so that others see how many there are."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool

from api.access import new_id
from nas.errors import NasError

if TYPE_CHECKING:
    from api.service.state import Service

EVERY_S: Final = 2.0


async def keep_beating(service: Service) -> None:
    """Beat until cancelled, then say goodbye. A database that is away is no reason to stop."""
    process_id, started_at = f"api-{new_id(8)}", time.time()
    try:
        while True:
            with suppress(NasError):
                await run_in_threadpool(_beat, service, process_id, started_at)
            await asyncio.sleep(EVERY_S)
    finally:
        with suppress(NasError):
            _forget(service, process_id)


def _beat(service: Service, process_id: str, started_at: float) -> None:
    from storage.administration import Process

    process = Process(
        id=process_id, kind="api", host=socket.gethostname(), pid=os.getpid(), started_at=started_at, document={}
    )
    with service.writer() as uow:
        uow.processes.beat(process)
        uow.commit()


def _forget(service: Service, process_id: str) -> None:
    with service.writer() as uow:
        uow.processes.forget(process_id)
        uow.commit()
