"""Events: pages of the log, and server-sent events."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Send

from api.access import Caller
from api.border.guards import AnyCaller, Limit, SearchId, ServiceOf
from api.routes.declared import READS, router
from api.schemas.events import EventPage
from api.service.event_hub import Event, News
from api.service.state import Service
from api.service.visible import visible_search
from api.views import Document
from nas.errors import NotFound

routes = router("events")

EVENT_STREAM: Final = "text/event-stream"
HEARTBEAT_S: Final = 10.0
RETRY_MS: Final = 1000
SEND_PATIENCE_S: Final = 30.0

LastEventId = Annotated[
    str | None,
    Header(pattern=r"^[0-9]{1,10}$", description="Id of the last event seen; sent by browsers that reconnect."),
]
_STREAM: Final[dict[str, Any]] = {
    EVENT_STREAM: {
        "schema": {"type": "string"},
        "examples": {
            "trial": {
                "value": 'event: trial\ndata: {"id":63,"kind":"trial","at":1795000060.0,"facts":{}}\nid: 63\n\n'
            }
        },
    }
}


class EventStream(StreamingResponse):
    """Server-sent events; a client that stops reading is let go instead of kept for ever."""

    media_type = EVENT_STREAM

    async def stream_response(self, send: Send) -> None:
        """Send what comes, each piece with a time limit."""

        async def send_soon(message: Any) -> None:
            async with asyncio.timeout(SEND_PATIENCE_S):
                await send(message)

        try:
            await super().stream_response(send_soon)
        except TimeoutError:
            return


@routes.get(
    "/searches/{search}/events",
    response_model=EventPage,
    responses={**READS, 200: {"model": EventPage, "content": _STREAM, "description": "A page, or the stream."}},
)
async def events(
    service: ServiceOf,
    caller: AnyCaller,
    request: Request,
    search: SearchId,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Only events after this id.")] = 0,
    limit: Limit = 50,
    last_event_id: LastEventId = None,
) -> Any:
    """Read the events of a search, or follow them.

    With `Accept: text/event-stream` this is a stream: first what came after `Last-Event-ID` (or `after`),
    then what comes. Each event has its id and kind; a comment comes every 10 seconds when nothing
    happens. After the last event of a search that has ended comes an event `end`.
    """
    if EVENT_STREAM not in request.headers.get("accept", ""):
        return await run_in_threadpool(_page, service, caller, search, after, limit)
    service.hub.require_room()
    found = await run_in_threadpool(_visible_id, service, caller, search)
    start = int(last_event_id) if last_event_id is not None else after
    return _stream(_frames(service, found, min(start, 2**31 - 1)))


@routes.get(
    "/events",
    response_class=EventStream,
    responses={**READS, 200: {"content": _STREAM, "description": "The stream."}},
)
async def changes(service: ServiceOf, caller: AnyCaller) -> Response:
    """Follow all visible searches: an event `search` whenever one of them changed.

    There is no replay: read the list after connecting, and again after reconnecting.
    """
    told = service.hub.changes(caller.sees, HEARTBEAT_S)
    await anext(told)  # from here on nothing is missed, and nothing can be refused any more
    return _stream(_change_frames(told))


def _page(service: Service, caller: Caller, search_id: str, after: int, limit: int) -> Document:
    with service.reader() as uow:
        found = visible_search(uow, caller, search_id)
        rows = uow.events.after(found.id, after, limit + 1)
    items = [_document(Event(*row)) for row in rows[:limit]]
    return {"items": items, "next": items[-1]["id"] if len(rows) > limit else None}


def _visible_id(service: Service, caller: Caller, search_id: str) -> str:
    with service.reader() as uow:
        return visible_search(uow, caller, search_id).id


def _document(event: Event) -> Document:
    return {"id": event.id, "kind": event.kind, "at": event.at, "facts": json.loads(event.payload).get("facts", {})}


def _stream(frames: AsyncIterator[bytes]) -> EventStream:
    # no-cache and X-Accel-Buffering: a proxy that collects bytes would hold events back.
    return EventStream(frames, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})


async def _frames(service: Service, search_id: str, after: int) -> AsyncIterator[bytes]:
    yield format_sse_event(retry=RETRY_MS)
    try:
        async for events in service.hub.events(search_id, after, HEARTBEAT_S):
            yield b"".join(map(_frame, events)) or format_sse_event(comment="still here")
    except NotFound:
        pass  # removed for good meanwhile: there is nothing more to come
    if await _has_ended(service, search_id):
        yield format_sse_event(event="end", data_str="{}")


async def _has_ended(service: Service, search_id: str) -> bool:
    def look() -> bool:
        with service.reader() as uow:
            return uow.searches.get(search_id).status.is_terminal

    try:
        return await run_in_threadpool(look)
    except NotFound:
        return True


async def _change_frames(told: AsyncIterator[News | None]) -> AsyncIterator[bytes]:
    yield format_sse_event(retry=RETRY_MS)
    async for news in told:
        if news is None:
            yield format_sse_event(comment="still here")
            continue
        change = {"search": news.search, "last_event": news.head.last_event, "status": news.head.status}
        yield format_sse_event(event="search", data_str=json.dumps(change, separators=(",", ":")))


@functools.lru_cache(maxsize=1024)
def _frame(event: Event) -> bytes:
    """One event on the wire; the same for everybody who listens, hence remembered."""
    data = json.dumps(_document(event), separators=(",", ":"))
    return format_sse_event(event=event.kind, data_str=data, id=str(event.id))
