"""Turns faults of requests into those of documents: by JSON pointer in a body, by name elsewhere."""

from __future__ import annotations

from typing import Any, cast

from pydantic_core import ErrorDetails

from nas.domain.faults import pointer, reason
from nas.errors import Fault


def fault_of(detail: dict[str, Any]) -> Fault:
    """A fault of a request: in its body by JSON pointer, elsewhere as `?name` or `header name`."""
    place, *rest = detail["loc"]
    why = reason(cast(ErrorDetails, detail))
    if place == "query":
        return Fault(f"?{rest[0]}" if rest else "?", why)
    if place == "header":
        return Fault(f"header {rest[0]}", why)
    return Fault(pointer(*rest), why)
