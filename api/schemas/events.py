"""Events as documents."""

from __future__ import annotations

from api.schemas.base import Document, UnixSeconds, example
from nas.domain.lifecycle import SearchStatus


class EventDocument(Document):
    """Something that became a fact of a search.

    Attributes:
        id: Grows by one without gaps within a search.
        kind: `search`, `library`, `trial`, `latency`, `retry`, `bounds`, `intent`, ...
        facts: Depends on the kind; see `docs/rest.md`.
    """

    model_config = example(
        id=63, kind="trial", at=1_795_000_060.0, facts={"number": 7, "status": "completed", "origin": "bayesian"}
    )

    id: int
    kind: str
    at: UnixSeconds
    facts: dict[str, str | int | float | bool]


class EventPage(Document):
    """Events after an id.

    Attributes:
        next: Ask with `after` set to this for more; null when there is nothing yet.
    """

    model_config = example(
        items=[{"id": 63, "kind": "trial", "at": 1_795_000_060.0, "facts": {"number": 7}}], next=None
    )

    items: list[EventDocument]
    next: int | None = None


class SearchChange(Document):
    """A search changed: read it again."""

    model_config = example(search="reference-demo-1a2b3c", last_event=63, status="running")

    search: str
    last_event: int
    status: SearchStatus
