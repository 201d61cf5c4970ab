"""The app: every route under `/v1`, health, metrics and the page, behind one gate."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

import anyio.to_thread
from fastapi import FastAPI

from api.border import answers
from api.border.gate import Gate
from api.documents import MAX_DOCUMENT_BYTES
from api.installation import Installation
from api.routes import (
    administration,
    catalogue,
    exports,
    health,
    insight,
    library,
    page,
    searches,
    streams,
    submission,
    trials,
)
from api.service.heartbeat import keep_beating
from api.service.state import Service

THREADS: Final = 40
COLLECTIONS: Final = (20_000, 20, 50)
"""Looking through a process that has met torch takes a quarter of a second, and some request waits for it: seldom."""
_SUMMARY: Final = "Hardware-aware architecture search: searches, trials, fronts, exports."
_DESCRIPTION: Final = """
Send `Authorization: Bearer KEY` with every request. A key belongs to one project or to the whole
installation, and has a role: `reader`, `submitter` or `admin`. What belongs to another project does not
exist for it: 404, not 403.

Errors are `application/problem+json` (RFC 9457) with a stable `code`, a `hint`, and every fault of the
request with a pointer to it. Lists come in pages: send `next` as `cursor` (trials and events: as `after`).
All times are Unix seconds. Sizes are bytes.
"""


def make_app(installation: Installation, own_token: str | None = None) -> FastAPI:
    """The app that serves an installation. Stateless: any number may serve one at the same time.

    Args:
        installation: What to serve; its database is opened with the first request.
        own_token: Accepted as an admin of the whole installation, for a process that serves itself.
    """
    service = Service(installation, own_token)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        # What is here now stays for good: garbage collection need not look at it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECTIONS)
        beating = None if own_token else asyncio.create_task(keep_beating(service))
        yield
        if beating is not None:
            beating.cancel()
            await asyncio.wait([beating])
        service.close()

    app = _Application(
        title="Blocksmith",
        summary=_SUMMARY,
        description=_DESCRIPTION,
        version=version("blocksmith"),
        docs_url=None,  # they load scripts from other hosts; docs/rest.md is the reference
        redoc_url=None,
        lifespan=lifespan,
        max_body_size=MAX_DOCUMENT_BYTES,
        redirect_slashes=False,
        telemetry={"tracing": False},
    )
    app.state.service = service
    app.state.query_parameters = {}
    answers.install(app)
    for module in (
        searches,
        submission,
        trials,
        insight,
        library,
        streams,
        exports,
        administration,
        catalogue,
        health,
    ):
        app.include_router(module.routes)
    page.install(app)
    app.add_middleware(
        Gate, metrics=service.metrics, names=(installation.settings.host, *installation.settings.public_names)
    )
    return app


class _Application(FastAPI):
    """Tells in its OpenAPI document also what FastAPI does not know by itself."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            from api.openapi import completed

            self.openapi_schema = completed(super().openapi())
        return self.openapi_schema
