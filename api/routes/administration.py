"""Projects, keys, audit, cluster: for admins, and `me` for everybody."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from api.border.guards import Admin, AnyCaller, InstallationAdmin, Limit, ProjectQuery, ServiceOf, ShortId
from api.routes.declared import READS, WRITES, problems, router
from api.schemas.administration import (
    AuditLine,
    ClusterDocument,
    KeyList,
    Me,
    NewKey,
    ProjectDocument,
    ProjectList,
)
from api.schemas.base import Page
from api.schemas.requests import KeyRequest, NewProject, QuotaRequest
from api.service import administration
from api.service.health import read_cluster
from api.views import Document

routes = router("administration")
_ADMIN_READS = problems(403)


@routes.get("/me", response_model=Me, responses=READS)
def me(caller: AnyCaller) -> Document:
    """Read whose key this is and what it may do."""
    return {"key": caller.key, "project": caller.project, "role": caller.role, "name": caller.name}


@routes.get("/projects", response_model=ProjectList, responses=READS)
def projects(service: ServiceOf, caller: AnyCaller) -> Document:
    """List the projects that the key may see, with quota and usage."""
    return {"items": administration.read_projects(service, caller)}


@routes.post("/projects", status_code=201, response_model=ProjectDocument, responses=WRITES)
def create_project(service: ServiceOf, caller: InstallationAdmin, wanted: NewProject) -> Document:
    """Make a project. It takes an admin key of the whole installation."""
    return administration.create_project(service, caller, wanted.project, wanted.quota.model_dump())


@routes.get("/projects/{project}", response_model=ProjectDocument, responses=READS)
def project(service: ServiceOf, caller: AnyCaller, project: ShortId) -> Document:
    """Read a project with its quota and what is used of it."""
    return administration.read_project(service, caller, project)


@routes.patch("/projects/{project}", response_model=ProjectDocument, responses=WRITES)
def set_quota(service: ServiceOf, caller: InstallationAdmin, project: ShortId, quota: QuotaRequest) -> Document:
    """Change the quota of a project; what is left out stays.

    What the project has already is left alone, even above the new quota.
    """
    return administration.set_quota(service, caller, project, quota.model_dump(exclude_unset=True))


@routes.get("/projects/{project}/keys", response_model=KeyList, responses=_ADMIN_READS)
def keys(service: ServiceOf, caller: Admin, project: ShortId) -> Document:
    """List the keys of a project, newest first, without their secrets."""
    return {"items": administration.read_keys(service, caller, project)}


@routes.post("/projects/{project}/keys", status_code=201, response_model=NewKey, responses=WRITES)
def create_key(service: ServiceOf, caller: Admin, project: ShortId, wanted: KeyRequest) -> Document:
    """Make a key for a project. The answer shows its secret, this once."""
    return administration.create_key(service, caller, project, wanted.name, wanted.role, wanted.expires_at)


@routes.get("/keys", response_model=KeyList, responses=_ADMIN_READS)
def installation_keys(service: ServiceOf, caller: InstallationAdmin) -> Document:
    """List all keys of the installation, newest first, without their secrets."""
    return {"items": administration.read_keys(service, caller, None)}


@routes.post("/keys", status_code=201, response_model=NewKey, responses=WRITES)
def create_installation_key(service: ServiceOf, caller: InstallationAdmin, wanted: KeyRequest) -> Document:
    """Make a key for the whole installation. The answer shows its secret, this once."""
    return administration.create_key(service, caller, None, wanted.name, wanted.role, wanted.expires_at)


@routes.delete("/keys/{key}", status_code=204, response_class=Response, responses=WRITES)
def revoke_key(service: ServiceOf, caller: Admin, key: ShortId) -> None:
    """Make a key worthless from now on."""
    administration.revoke_key(service, caller, key)


@routes.get("/audit", response_model=Page[AuditLine], responses=_ADMIN_READS)
def audit(
    service: ServiceOf,
    caller: Admin,
    project: ProjectQuery = None,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$", description="`next` of the page before.")] = None,
    limit: Limit = 50,
) -> Document:
    """List who wrote what, newest first."""
    return administration.read_audit(service, caller, project, None if cursor is None else int(cursor), limit)


@routes.get("/cluster", response_model=ClusterDocument, responses=READS)
def cluster(service: ServiceOf, caller: AnyCaller) -> Document:
    """Read what works at this moment: slots, jobs, processes. Project keys see the sums alone."""
    return read_cluster(service, with_processes=caller.project is None)
