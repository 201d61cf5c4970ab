"""Projects, quotas, keys and the audit trail."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from api.access import Caller, digest_of_secret, new_id, new_secret, token_of
from api.schemas.administration import Role
from api.service.ledger import note
from api.views import Document
from nas.errors import Fault, NotFound, SpecError

if TYPE_CHECKING:
    from api.service.state import Service
    from storage.administration import ApiKey, Project
    from storage.unit_of_work import SqlUnitOfWork


def read_projects(service: Service, caller: Caller) -> list[Document]:
    """Projects that the caller sees."""
    with service.reader() as uow:
        found = uow.projects.list() if caller.project is None else [uow.projects.get(caller.project)]
        return [_project_document(uow, project) for project in found]


def read_project(service: Service, caller: Caller, project_id: str) -> Document:
    """One project.

    Raises:
        NotFound: If there is none, or it is not the caller's.
    """
    with service.reader() as uow:
        return _project_document(uow, _visible(uow, caller, project_id))


def create_project(service: Service, caller: Caller, project_id: str, quota: dict[str, Any]) -> Document:
    """Make a project.

    Raises:
        Conflict: If the id is taken.
    """
    from storage.administration import Project, Quota

    now = time.time()
    with service.writer() as uow:
        project = Project(id=project_id, quota=Quota(**quota), created_at=now)
        uow.projects.add(project)
        note(uow, caller, "create project", project_id, project=project_id, at=now)
        document = _project_document(uow, project)
        uow.commit()
    return document


def set_quota(service: Service, caller: Caller, project_id: str, changes: dict[str, Any]) -> Document:
    """Change parts of a quota.

    Raises:
        NotFound: If there is no such project.
    """
    from storage.administration import Quota

    now = time.time()
    with service.writer() as uow:
        uow.projects.lock(project_id)
        project = _visible(uow, caller, project_id)
        quota = Quota(**{**project.quota.model_dump(), **changes})
        uow.projects.set_quota(project_id, quota)
        note(uow, caller, "set quota", project_id, project=project_id, at=now, detail=quota.model_dump_json())
        document = _project_document(uow, project.evolve(quota=quota))
        uow.commit()
    return document


def read_keys(service: Service, caller: Caller, project_id: str | None) -> list[Document]:
    """Keys of a project, or with None all there are.

    Raises:
        NotFound: If there is no such project, or it is not the caller's.
    """
    with service.reader() as uow:
        if project_id is not None:
            _visible(uow, caller, project_id)
        return [_key_document(key) for key in uow.keys.list(project_id)]


def create_key(
    service: Service, caller: Caller, project_id: str | None, name: str, role: Role, expires_at: float | None
) -> Document:
    """Make a key; the only answer that ever has its secret.

    Raises:
        NotFound: If there is no such project, or it is not the caller's.
        SpecError: If it would have expired already.
    """
    from storage.administration import ApiKey

    now = time.time()
    if expires_at is not None and expires_at <= now:
        raise SpecError((Fault("/expires_at", "lies in the past", str(round(now + 86_400))),))
    key_id, secret = new_id(), new_secret()
    key = ApiKey(
        id=key_id,
        project=project_id,
        role=role,
        name=name,
        secret_digest=digest_of_secret(secret),
        created_at=now,
        expires_at=expires_at,
    )
    with service.writer() as uow:
        if project_id is not None:
            _visible(uow, caller, project_id)
        uow.keys.add(key)
        note(uow, caller, "create key", key_id, project=project_id, at=now, detail=f"{role}: {name}")
        uow.commit()
    return {**_key_document(key), "token": token_of(key_id, secret)}


def revoke_key(service: Service, caller: Caller, key_id: str) -> None:
    """Make a key worthless.

    Raises:
        NotFound: If there is none, or it is not of the caller's project.
    """
    now = time.time()
    with service.writer() as uow:
        key = uow.keys.get(key_id)
        if not caller.sees(key.project):
            raise NotFound(f"There is no key {key_id!r}.", "List the keys to see their ids.")
        uow.keys.revoke(key_id, now)
        note(uow, caller, "revoke key", key_id, project=key.project, at=now)
        uow.commit()


def read_audit(
    service: Service, caller: Caller, project_id: str | None, before_id: int | None, limit: int
) -> Document:
    """One page of the audit trail, newest first.

    Raises:
        NotFound: If the project asked about is not the caller's.
    """
    with service.reader() as uow:
        if project_id is not None:
            _visible(uow, caller, project_id)
        rows = uow.audit.page(project_id or caller.project, before_id, limit + 1)
    items = [{"id": number, **entry.model_dump(mode="json")} for number, entry in rows[:limit]]
    return {"items": items, "next": str(items[-1]["id"]) if len(rows) > limit else None}


def _visible(uow: SqlUnitOfWork, caller: Caller, project_id: str) -> Project:
    if not caller.sees(project_id):
        raise NotFound(f"There is no project {project_id!r}.", "List the projects to see their ids.")
    return uow.projects.get(project_id)


def _project_document(uow: SqlUnitOfWork, project: Project) -> Document:
    return {
        "project": project.id,
        "created_at": project.created_at,
        "quota": project.quota.model_dump(mode="json"),
        "usage": uow.projects.usage(project.id).model_dump(mode="json"),
    }


def _key_document(key: ApiKey) -> Document:
    document = key.model_dump(mode="json", exclude={"secret_digest"})
    document["key"] = document.pop("id")
    return document
