"""Where things are. The only module that reads the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from nas.errors import Fault, SpecError


class Settings(BaseSettings):
    """Settings of one installation, from `BLOCKSMITH_*` environment variables.

    Attributes:
        data: Folder of database, artifacts, features and scratch files (`BLOCKSMITH_DATA`).
        database: SQLAlchemy URL; empty means SQLite inside `data` (`BLOCKSMITH_DATABASE`).
        ray_address: Address of a Ray cluster; empty starts a local one (`BLOCKSMITH_RAY_ADDRESS`).
        allowed_roots: Folders from which a spec may name files, as a JSON list
            (`BLOCKSMITH_ALLOWED_ROOTS`); empty means the working directory and the home directory.
    """

    model_config = SettingsConfigDict(env_prefix="BLOCKSMITH_", extra="ignore")

    data: Path = Path(".blocksmith")
    database: str = ""
    ray_address: str = ""
    allowed_roots: tuple[Path, ...] = Field(default=())

    @property
    def database_url(self) -> str:
        """The database in use."""
        return self.database or f"sqlite:///{(self.data / 'blocksmith.sqlite').resolve()}"

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders from which a spec may name files, resolved."""
        return tuple(root.expanduser().resolve() for root in (self.allowed_roots or (Path.cwd(), Path.home())))


def read_settings() -> Settings:
    """Settings from the environment.

    Raises:
        SpecError: Naming every variable that cannot be read.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = [Fault(f"BLOCKSMITH_{str(detail['loc'][0]).upper()}", detail["msg"]) for detail in error.errors()]
        raise SpecError(tuple(faults)) from None
    except SettingsError:
        example = '["/data/pictures"]'
        raise SpecError((Fault("BLOCKSMITH_ALLOWED_ROOTS", "must be a JSON list of folders", example),)) from None
