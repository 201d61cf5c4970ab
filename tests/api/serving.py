"""A served installation for tests: the real app on a real database, and keys of every kind."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from starlette.testclient import TestClient

from api.access import digest_of_secret, new_id, new_secret, token_of
from api.installation import Installation
from api.schemas.administration import Role
from api.server import make_app
from api.settings import Settings
from storage.administration import ApiKey, Project, Quota

ADDRESS = "http://localhost"


@dataclass
class Served:
    """An app and who may use it.

    Attributes:
        http: Without a key; each request says whose it sends.
    """

    installation: Installation
    http: TestClient
    tokens: dict[str, str] = field(default_factory=dict)

    def key(self, project: str | None, role: Role, **changes: object) -> str:
        """A new key's token."""
        key_id, secret = new_id(), new_secret()
        facts = {"id": key_id, "project": project, "role": role, "name": f"{role} of {project}", **changes}
        with self.installation.database.unit_of_work() as uow:
            uow.keys.add(ApiKey(secret_digest=digest_of_secret(secret), created_at=time.time(), **facts))
            uow.commit()
        return token_of(key_id, secret)

    def bearer(self, who: str) -> dict[str, str]:
        """Headers with the key of `admin` (of the installation) or `PROJECT/ROLE`; made when first asked for."""
        if who not in self.tokens:
            project, _, role = who.rpartition("/")
            self.tokens[who] = self.key(project or None, role)
        return {"Authorization": f"Bearer {self.tokens[who]}"}

    def project(self, name: str, **quota: int | None) -> None:
        """A new project."""
        with self.installation.database.unit_of_work() as uow:
            uow.projects.add(Project(id=name, quota=Quota(**quota), created_at=1.0))
            uow.commit()


def serve(data: Path, **settings: object) -> Served:
    """An empty installation with projects `red` and `blue`; close `http` at the end."""
    installation = Installation(settings=Settings(data=data, **settings))
    http = TestClient(make_app(installation), base_url=ADDRESS, raise_server_exceptions=False)
    served = Served(installation, http)
    served.project("red")
    served.project("blue")
    return served
