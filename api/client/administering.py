"""The client's methods about exports, libraries, projects and keys."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from api.client.transport import Transport
from api.schemas.administration import (
    AuditLine,
    ClusterDocument,
    Health,
    KeyDocument,
    KeyList,
    Me,
    NewKey,
    ProjectDocument,
    ProjectList,
    Role,
)
from api.schemas.base import Page
from api.schemas.catalogue import CatalogueDocument, DeviceDocument, DeviceList, SpecSchema
from api.schemas.exports import ExportDocument, ExportList
from api.schemas.library import LibraryDetail, LibraryDocument
from nas.errors import CorruptArtifact, NasError, TransientError

M = TypeVar("M", bound=BaseModel)
_POLL_S: Final = 0.5


class Administering:
    """Everything beside the searches themselves."""

    _transport: Transport

    def me(self) -> Me:
        """Whose key this is and what it may do."""
        return self._transport.ask(Me, "GET", "/v1/me")

    def ready(self) -> Health:
        """Whether the server can serve; also when it says that it cannot."""
        try:
            return self._transport.ask(Health, "GET", "/health/ready")
        except TransientError as error:
            return Health.model_validate({"status": "unready", "checks": [_failed(error)]})

    def export(self, search: str, trial: int | None = None) -> ExportDocument:
        """Have a trial's network packed, the best one's if none is named; returns at once."""
        body = {} if trial is None else {"trial": trial}
        return self._transport.ask(ExportDocument, "POST", f"/v1/searches/{search}/exports", json=body)

    def exports(self, search: str) -> list[ExportDocument]:
        """Exports of a search, newest first."""
        return self._transport.ask(ExportList, "GET", f"/v1/searches/{search}/exports").items

    def read_export(self, export: str) -> ExportDocument:
        """How far an export is."""
        return self._transport.ask(ExportDocument, "GET", f"/v1/exports/{export}")

    def wait_export(self, export: str, *, timeout_s: float = 600.0) -> ExportDocument:
        """Wait until an export is done or has failed.

        Raises:
            TransientError: If it takes longer.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            found = self.read_export(export)
            if found.status in ("done", "failed"):
                return found
            if time.monotonic() > deadline:
                raise TransientError(f"Export {export} is still {found.status}.", "See that a coordinator runs.")
            time.sleep(_POLL_S)

    def download(self, export: str, path: Path) -> None:
        """Write the zip of an export into a file; it appears whole or not at all.

        Raises:
            CorruptArtifact: If what arrives is not what was packed.
        """
        expected, digest = self.read_export(export).artifact, hashlib.sha256()
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with (
                self._transport.stream(f"/v1/exports/{export}/content") as response,
                aside.open("wb") as file,
            ):
                for piece in response.iter_bytes():
                    file.write(piece)
                    digest.update(piece)
            if digest.hexdigest() != expected:
                raise CorruptArtifact(f"Export {export} arrived damaged.", "Order it again.")
            aside.replace(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                aside.unlink()

    def libraries(self) -> list[LibraryDocument]:
        """Block libraries, the last one used first."""
        return self._transport.ask(Page[LibraryDocument], "GET", "/v1/libraries").items

    def library_blocks(self, library: str) -> LibraryDetail:
        """One block library with its blocks."""
        return self._transport.ask(LibraryDetail, "GET", f"/v1/libraries/{library}")

    def artifact(self, digest: str) -> bytes:
        """Bytes of an artifact."""
        return self._transport.send("GET", f"/v1/artifacts/{digest}").content

    def devices(self) -> list[DeviceDocument]:
        """Devices that a spec may name."""
        return self._transport.ask(DeviceList, "GET", "/v1/devices").items

    def catalogue(self) -> CatalogueDocument:
        """Every name that a spec may use."""
        return self._transport.ask(CatalogueDocument, "GET", "/v1/catalogue")

    def spec_schema(self) -> SpecSchema:
        """JSON Schema of a spec, with examples."""
        return self._transport.ask(SpecSchema, "GET", "/v1/spec-schema")

    def projects(self) -> list[ProjectDocument]:
        """Projects that the key may see."""
        return self._transport.ask(ProjectList, "GET", "/v1/projects").items

    def project(self, project: str) -> ProjectDocument:
        """One project with quota and usage."""
        return self._transport.ask(ProjectDocument, "GET", f"/v1/projects/{project}")

    def create_project(
        self,
        project: str,
        *,
        trials: int | None = None,
        parallelism: int | None = None,
        storage_bytes: int | None = None,
    ) -> ProjectDocument:
        """Make a project; None is no limit."""
        quota = {"trials": trials, "parallelism": parallelism, "storage_bytes": storage_bytes}
        return self._transport.ask(ProjectDocument, "POST", "/v1/projects", json={"project": project, "quota": quota})

    def set_quota(self, project: str, **quota: int | None) -> ProjectDocument:
        """Change `trials`, `parallelism` or `storage_bytes`; None lifts a limit, what is left out stays."""
        return self._transport.ask(ProjectDocument, "PATCH", f"/v1/projects/{project}", json=quota)

    def keys(self, project: str | None = None) -> list[KeyDocument]:
        """Keys of a project, or with None all of the installation."""
        path = "/v1/keys" if project is None else f"/v1/projects/{project}/keys"
        return self._transport.ask(KeyList, "GET", path).items

    def create_key(
        self, name: str, role: Role, *, project: str | None = None, expires_at: float | None = None
    ) -> NewKey:
        """Make a key for a project, or with None for the whole installation; its `token` is shown this once."""
        path = "/v1/keys" if project is None else f"/v1/projects/{project}/keys"
        body = {"name": name, "role": role, "expires_at": expires_at}
        return self._transport.ask(NewKey, "POST", path, json=body)

    def revoke_key(self, key: str) -> None:
        """Make a key worthless from now on."""
        self._transport.send("DELETE", f"/v1/keys/{key}")

    def audit(self, *, project: str | None = None, page_size: int = 100) -> Iterator[AuditLine]:
        """Who wrote what, newest first."""
        params: dict[str, Any] = {"project": project, "limit": page_size}
        while True:
            page = self._transport.ask(Page[AuditLine], "GET", "/v1/audit", params=params)
            yield from page.items
            if page.next is None:
                return
            params["cursor"] = page.next

    def cluster(self) -> ClusterDocument:
        """What works at this moment."""
        return self._transport.ask(ClusterDocument, "GET", "/v1/cluster")


def _failed(error: NasError) -> dict[str, Any]:
    return {"name": "database", "ok": False, "detail": error.message}
