"""Spec documents out of request bodies: JSON or YAML, read whole but bounded."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends, Request

from api.border.gate import JSON
from api.documents import read_document, read_json_document
from nas.errors import Fault, SpecError

AN_EXAMPLE: Final[dict[str, Any]] = {
    "schema_version": 1,
    "name": "my-search",
    "teacher": {"source": "reference"},
    "objectives": ["params"],
    "constraints": [{"metric": "noise_mse_relative", "at_most": 0.05}],
    "budget": {"trials": 48},
}


async def _body(request: Request) -> bytes:
    return await request.body()


def _document(request: Request, body: Annotated[bytes, Depends(_body)]) -> dict[str, Any]:
    """Parse aside from the event loop: YAML takes its time."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise SpecError((Fault("", "the body is not UTF-8 text"),)) from None
    media = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    return read_json_document(text) if media == JSON else read_document(text)


SpecDocument = Annotated[dict[str, Any], Depends(_document)]


def spec_body() -> dict[str, Any]:
    """The request body in OpenAPI, which FastAPI cannot know of."""
    media = {"schema": {"$ref": "#/components/schemas/SearchSpec"}, "examples": {"spec": {"value": AN_EXAMPLE}}}
    return {"requestBody": {"required": True, "content": {JSON: media, "application/yaml": media}}}
