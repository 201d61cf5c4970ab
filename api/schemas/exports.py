"""Exports as documents."""

from __future__ import annotations

from typing import Literal

from api.schemas.base import Document, FailureDocument, UnixSeconds, example

AN_EXPORT = {
    "export": "x4k2m9q7t1",
    "search": "reference-demo-1a2b3c",
    "trial": 7,
    "status": "done",
    "size_bytes": 2_400_000,
    "artifact": "0" * 64,
    "failure": None,
    "created_at": 1_795_000_200.0,
}


class ExportDocument(Document):
    """A trial's network on its way into a zip: diffusers folder, ONNX file, report.

    Attributes:
        artifact: Digest of the zip once it is done, else an empty string.
    """

    model_config = example(**AN_EXPORT)

    export: str
    search: str
    trial: int
    status: Literal["waiting", "running", "done", "failed"]
    size_bytes: int
    artifact: str
    failure: FailureDocument | None = None
    created_at: UnixSeconds


class ExportList(Document):
    """Exports of a search, newest first."""

    model_config = example(items=[AN_EXPORT])

    items: list[ExportDocument]
