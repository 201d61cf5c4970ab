"""Following events: a stream that survives lost connections without losing or repeating one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from api.client.transport import Transport
from api.refusals import IncompatibleServer
from api.schemas.events import EventDocument
from nas.errors import TransientError

SILENCE_S: Final = 30.0
"""Three heartbeats: a stream that says nothing for longer is dead."""

PAUSE_S: Final = 0.5
PATIENCE_S: Final = 300.0
"""Without any answer for this long the server is given up."""


class Frame(NamedTuple):
    """One server-sent event."""

    kind: str
    data: str
    id: str


def followed(transport: Transport, search_id: str, after: int) -> Iterator[EventDocument]:
    """Events after an id and those to come, until the search has ended.

    Raises:
        NasError: If the search cannot be read.
        TransientError: If the server stays away for five minutes.
    """
    away_since = time.monotonic()
    while True:
        is_open = False
        try:
            headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
            path = f"/v1/searches/{search_id}/events"
            with transport.stream(path, headers=headers, read_timeout_s=SILENCE_S) as response:
                is_open = True
                for frame in frames(response.iter_lines()):
                    if frame.kind == "end":
                        return
                    event = _parsed(frame)
                    after = event.id
                    yield event
        except TransientError:
            if not is_open and time.monotonic() - away_since > PATIENCE_S:
                raise
        if is_open:
            away_since = time.monotonic()
        time.sleep(PAUSE_S)


def frames(lines: Iterator[str]) -> Iterator[Frame]:
    """Parse a stream of server-sent events; comments and retry times are skipped."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                yield Frame(fields.get("event", "message"), fields["data"], fields.get("id", ""))
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{value}" if name == "data" and name in fields else value


def _parsed(frame: Frame) -> EventDocument:
    try:
        return EventDocument.model_validate(json.loads(frame.data))
    except ValueError:
        raise IncompatibleServer("The server sent an event that cannot be read.", "Check both versions.") from None
