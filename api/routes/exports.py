"""Exports: a trial's network as a zip."""

from __future__ import annotations

from fastapi import Response

from api.border.guards import AnyCaller, SearchId, ServiceOf, ShortId, Submitter
from api.routes.declared import READS, WRITES, problems, router
from api.routes.files import Range, stored_file
from api.schemas.exports import ExportDocument, ExportList
from api.schemas.requests import ExportRequest
from api.service.packing import export_document, order_export
from api.service.visible import visible_export, visible_search
from api.views import Document
from nas.errors import Conflict

routes = router("exports")


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
        **problems(409, 416),
        200: {"content": {"application/zip": {}}, "description": "The zip."},
        206: {"content": {"application/zip": {}}, "description": "The range asked for."},
    },
)
def download(service: ServiceOf, caller: AnyCaller, export: ShortId, range: Range = None) -> Response:
    """Fetch the zip of an export that is done."""
    with service.reader() as uow:
        found = visible_export(uow, caller, export)
    if found.status != "done":
        raise Conflict(f"Export {found.id!r} is {found.status}.", "Ask again when its status is done.")
    name = f"{found.search}-trial-{found.trial}.zip"
    return stored_file(service.installation.workspace, found.artifact, "application/zip", name, range)
