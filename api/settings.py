"""Where things are, and how its processes behave. The only module that reads the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from nas.errors import Fault, SpecError

LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


class Settings(BaseSettings):
    """Settings of one installation, from `BLOCKSMITH_*` environment variables.

    Any of them may instead be a file in the folder that `BLOCKSMITH_SECRETS_DIR` names, for instance
    `blocksmith_database`; the environment wins over the file.

    Attributes:
        data: Folder of database, artifacts, features and scratch files.
        database: SQLAlchemy URL; empty means SQLite inside `data`.
        artifacts: fsspec URL of artifacts and journal, for instance `s3://bucket/blocksmith`; empty means `data`.
        ray_address: Address of a Ray cluster; empty starts a local one.
        allowed_roots: Folders from which a spec may name files, as a JSON list; empty means the working directory
            and the home directory.
        hub_downloads: Whether specs sent to the API may have teachers fetched from the hub; otherwise the hub's
            cache on the server must have them already.
        host: Address the API listens at; the default is reachable from this machine alone.
        port: Port the API listens at; 0 takes a free one.
        public_names: Host names under which others reach the API, as a JSON list; requests for any other are refused.
        open_metrics: Whether `/metrics` answers without a key.
        log_format: Lines for people, or one JSON object per line.
        log_level: The least important level that is written.
        searches_per_coordinator: Searches that one coordinator drives at once.
        slots: Jobs at once in one coordinator; 0 takes all CPUs that Ray has.
        lease_ttl_s: Seconds without a sign of life after which another coordinator takes a search over.
        drain_s: Seconds that running jobs get to finish after SIGTERM.
        suggestion_deadline_s: Seconds that an idle worker waits for a model; then a fall-back proposes.
        trash_days: Days after which a deleted search is gone for good.
        min_free_bytes: Free disk space below which the service calls itself not ready.
    """

    model_config = SettingsConfigDict(env_prefix="BLOCKSMITH_", extra="ignore")

    data: Path = Path(".blocksmith")
    database: str = ""
    artifacts: str = ""
    ray_address: str = ""
    allowed_roots: tuple[Path, ...] = Field(default=())
    hub_downloads: bool = False
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8484, ge=0, le=65535)
    public_names: tuple[str, ...] = Field(default=())
    open_metrics: bool = False
    log_format: LogFormat = "console"
    log_level: LogLevel = "info"
    searches_per_coordinator: int = Field(default=64, ge=1)
    slots: int = Field(default=0, ge=0)
    lease_ttl_s: float = Field(default=10.0, ge=1.0)
    drain_s: float = Field(default=30.0, ge=0.0)
    suggestion_deadline_s: float = Field(default=10.0, gt=0.0)
    trash_days: float = Field(default=30.0, ge=0.0)
    min_free_bytes: int = Field(default=512 * 1024**2, ge=0)

    @property
    def database_url(self) -> str:
        """The database in use."""
        return self.database or f"sqlite:///{(self.data / 'blocksmith.sqlite').resolve()}"

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders from which a spec may name files, resolved."""
        return tuple(root.expanduser().resolve() for root in (self.allowed_roots or (Path.cwd(), Path.home())))


def read_settings() -> Settings:
    """Settings from the environment and from the folder of secrets.

    Raises:
        SpecError: Naming every variable that cannot be read.
    """
    try:
        return Settings(_secrets_dir=_secrets_folder())  # type: ignore[call-arg]  # known to pydantic alone
    except ValidationError as error:
        faults = [Fault(f"BLOCKSMITH_{str(detail['loc'][0]).upper()}", detail["msg"]) for detail in error.errors()]
        raise SpecError(tuple(faults)) from None
    except SettingsError as error:
        name = next((field for field in ("allowed_roots", "public_names") if f'"{field}"' in str(error)), "setting")
        example = '["/data/pictures"]' if name == "allowed_roots" else '["blocksmith.example.org"]'
        raise SpecError((Fault(f"BLOCKSMITH_{name.upper()}", "must be a JSON list", example),)) from None


def _secrets_folder() -> Path | None:
    named = os.environ.get("BLOCKSMITH_SECRETS_DIR", "")
    if not named:
        return None
    folder = Path(named)
    if not folder.is_dir():
        raise SpecError((Fault("BLOCKSMITH_SECRETS_DIR", f"{folder} is not a folder"),))
    return folder
