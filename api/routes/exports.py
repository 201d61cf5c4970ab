"""Exports: a trial's network as a zip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final

from fastapi import Header, Response
from starlette.responses import StreamingResponse

from api.border.guards import AnyCaller, SearchId, ServiceOf, ShortId, Submitter
from api.routes.declared import READS, WRITES, router
from api.schemas.exports import ExportDocument, ExportList
from api.schemas.requests import ExportRequest
from api.service.packing import export_document, order_export
from api.service.visible import visible_export, visible_search
from api.views import Document
from nas.errors import Conflict

routes = router("exports")

_CHUNK: Final = 1 << 20
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
Range = Annotated[str | None, Header(max_length=100, description="One range of bytes, to go on where it broke off.")]


@routes.post("/searches/{search}/exports", status_code=202, response_model=ExportDocument, responses=WRITES)
def export(service: ServiceOf, caller: Submitter, search: SearchId, wanted: ExportRequest) -> Document:
    """Have a trial's network packed: diffusers folder, ONNX file, report. Left out: the best trial.

    A coordinator does it; ask again until its status is `done`.
    """
    return export_document(order_export(service, caller, search, wanted.trial))


@routes.get("/searches/{search}/exports", response_model=ExportList, responses=READS)
def exports(service: ServiceOf, caller: AnyCaller, search: SearchId) -> Document:
    """List the exports of a search, newest first."""
    with service.reader() as uow:
        found = uow.exports.list(visible_search(uow, caller, search).id)
    return {"items": [export_document(one) for one in found]}


@routes.get("/exports/{export}", response_model=ExportDocument, responses=READS)
def read_export(service: ServiceOf, caller: AnyCaller, export: ShortId) -> Document:
    """Read how far an export is."""
    with service.reader() as uow:
        return export_document(visible_export(uow, caller, export))


@routes.get(
    "/exports/{export}/content",
    response_class=Response,
    responses={
        **WRITES,
        200: {"content": {"application/zip": {}}, "description": "The zip."},
        206: {"content": {"application/zip": {}}, "description": "The range asked for."},
        416: {"description": "There is no such range."},
    },
)
def download(service: ServiceOf, caller: AnyCaller, export: ShortId, range: Range = None) -> Response:
    """Fetch the zip of an export that is done."""
    with service.reader() as uow:
        found = visible_export(uow, caller, export)
    if found.status != "done":
        raise Conflict(f"Export {found.id!r} is {found.status}.", "Ask again when its status is done.")
    content = service.installation.workspace.artifacts.get(found.artifact)
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{found.artifact}"',
        "Content-Disposition": f'attachment; filename="{found.search}-trial-{found.trial}.zip"',
    }
    return _ranged(content, range, headers)


def _ranged(content: bytes, asked: str | None, headers: dict[str, str]) -> Response:
    size = len(content)
    match = _RANGE.fullmatch(asked.strip()) if asked else None
    if match is None or not (match[1] or match[2]):
        return _zip(content, 200, headers)
    if match[1]:
        first, last = int(match[1]), min(int(match[2]) if match[2] else size - 1, size - 1)
    else:
        first, last = max(0, size - int(match[2])), size - 1
    if first > last:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
    return _zip(content[first : last + 1], 206, {**headers, "Content-Range": f"bytes {first}-{last}/{size}"})


def _zip(content: bytes, status: int, headers: dict[str, str]) -> Response:
    def pieces() -> Iterator[bytes]:
        for start in range(0, len(content), _CHUNK):
            yield content[start : start + _CHUNK]

    headers = {**headers, "Content-Length": str(len(content))}
    return StreamingResponse(pieces(), status, headers, media_type="application/zip")
