"""Block libraries and artifacts."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Response

from api.border.guards import AnyCaller, Digest, SearchId, ServiceOf
from api.routes.declared import READS, problems, router
from api.routes.files import Range, stored_file
from api.schemas.base import Page
from api.schemas.library import LibraryDetail, LibraryDocument, SearchLibrary
from api.service.libraries import read_libraries, read_library, read_search_library
from api.service.visible import visible_search
from api.views import Document
from nas.errors import NotFound

routes = router("libraries")
LibraryId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="Id of a library.", examples=["0" * 64])]


@routes.get("/searches/{search}/library", response_model=SearchLibrary, responses=READS)
def library(service: ServiceOf, caller: AnyCaller, search: SearchId) -> Document:
    """Read the block library of a search: every stage with every variant on offer, made or missing."""
    with service.reader() as uow:
        return read_search_library(service, uow, visible_search(uow, caller, search))


@routes.get("/libraries", response_model=Page[LibraryDocument], responses=READS)
def libraries(service: ServiceOf, caller: AnyCaller) -> Document:
    """List block libraries, the last one used first.

    Searches on the same teacher, calibration and distillation share one.
    """
    with service.reader() as uow:
        return {"items": read_libraries(uow, caller.project), "next": None}


@routes.get("/libraries/{library}", response_model=LibraryDetail, responses=READS)
def library_blocks(service: ServiceOf, caller: AnyCaller, library: LibraryId) -> Document:
    """Read one block library with its blocks."""
    with service.reader() as uow:
        return read_library(uow, library, caller.project)


@routes.get(
    "/artifacts/{digest}",
    response_class=Response,
    responses={
        **problems(416),
        200: {"content": {"application/octet-stream": {}}, "description": "The bytes."},
        206: {"content": {"application/octet-stream": {}}, "description": "The range asked for."},
    },
)
def artifact(service: ServiceOf, caller: AnyCaller, digest: Digest, range: Range = None) -> Response:
    """Fetch the bytes of an artifact: the weights of a block (safetensors) or an export (zip)."""
    with service.reader() as uow:
        if not uow.libraries.may_read(caller.project, digest):
            raise NotFound(f"There is no artifact {digest}.", "Digests stand in libraries and exports.")
    return stored_file(service.installation.workspace, digest, "application/octet-stream", digest, range)
