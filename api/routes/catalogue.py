"""What a spec may say."""

from __future__ import annotations

from fastapi import Response

from api.border.guards import AnyCaller, ServiceOf
from api.routes.bodies import AN_EXAMPLE
from api.routes.declared import READS, router
from api.schemas.catalogue import CatalogueDocument, DeviceList, SpecSchema
from api.service.devices import device_documents
from api.views import Document
from nas.domain.search import SearchSpec

routes = router("catalogue")


@routes.get("/devices", response_model=DeviceList, responses=READS)
def devices(service: ServiceOf, caller: AnyCaller) -> Document:
    """List the devices that a spec may name, and how each of them stands."""
    del caller
    return {"items": device_documents(service)}


@routes.get("/catalogue", response_model=CatalogueDocument, responses=READS)
def catalogue(service: ServiceOf, caller: AnyCaller) -> Document:
    """Read every name that a spec may use, with its meaning."""
    del caller
    return service.desk.catalogue()


@routes.get("/spec-schema", response_model=SpecSchema, responses=READS)
def spec_schema(caller: AnyCaller, response: Response) -> Document:
    """Read the JSON Schema of a spec, with specs that are valid as they stand."""
    del caller
    response.headers["Cache-Control"] = "private, max-age=300"
    return {"json_schema": SearchSpec.model_json_schema(), "examples": [AN_EXAMPLE]}
