"""The whole service as it runs in production, on one machine: two APIs, two coordinators, Ray, a database."""

from __future__ import annotations

import os
import random
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from api.installation import Installation
from api.settings import Settings
from api.up.local_key import local_key
from storage.unit_of_work import Database, open_database
from tests.builders.tiny_unet import make_teacher
from tests.chaos.disk import SmallDisk
from tests.chaos.postgresql import PostgreSQL
from tests.chaos.programs import Program, Supervisor, wait_until
from tests.chaos.ray_cluster import RayCluster, loopback_address
from tests.chaos.relay import Relay

ROOT = Path(__file__).resolve().parents[2]
REPLICAS = 2
DISK_MB = 640
"""A capture of features refuses to leave less than 256 MiB free."""

CPUS_PER_NODE = 1


class Service:
    """Starts everything, and knows where everything is.

    Args:
        folder: Of the rig's own; its path must be short, because Ray keeps sockets below it.
        kind: `sqlite` or `postgresql`.
    """

    def __init__(self, folder: Path, kind: str, seed: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.disk = SmallDisk(folder / "disk", DISK_MB)
        self.has_disk = self.disk.mount()
        self.data = folder / "disk" / "data"
        plain = _plain_environment(folder)
        self.postgresql = PostgreSQL(folder, plain) if kind == "postgresql" else None
        self.rows = Relay(self.postgresql.port) if self.postgresql is not None else None
        self.ray = RayCluster(folder, loopback_address(os.getpid()), plain, CPUS_PER_NODE)
        self.teacher = make_teacher(folder / "teacher")
        self._environment = {**plain, **self.ray.environment, **self._settings()}
        self.apis: list[Program] = []
        self.coordinators: list[Program] = []
        self.messages: list[Relay] = []
        self.key = ""
        self._draw = random.Random(seed)

    def start(self) -> None:
        """Start everything and wait until every API answers."""
        if self.postgresql is not None:
            self.postgresql.start()
        self.ray.start()
        self.database = self._open()
        self.key = self._make_key()
        command = [sys.executable, "-m", "api.cli"]
        for number in range(REPLICAS):
            port = _free_port()
            arguments = [*command, "api", "--port", str(port)]
            self.apis.append(Program(f"api {number}", arguments, self._environment, self._log(f"api-{number}")))
            self.messages.append(Relay(port))
        for number in range(REPLICAS):
            log = self._log(f"coordinator-{number}")
            self.coordinators.append(
                Program(f"coordinator {number}", [*command, "coordinator"], self._environment, log)
            )
        for program in (*self.apis, *self.coordinators):
            program.start()
        for relay in self.messages:
            relay.start()
        self.supervisor = Supervisor(self.programs, self._draw)
        self.supervisor.start()
        for url in self.urls:
            wait_until(_answers(url), f"{url} answers", 60)

    def stop(self) -> None:
        """End everything; nothing of the rig is left on the machine but its folder."""
        if hasattr(self, "supervisor"):
            self.supervisor.stop()
        for program in (*self.coordinators, *self.apis):
            program.end(8)
        for program in (self.ray.node, self.ray.head):
            program.end(3)
        for relay in (*self.messages, *([self.rows] if self.rows else [])):
            relay.stop()
        if hasattr(self, "database"):
            self.database.close()
        if self.postgresql is not None:
            self.postgresql.program.end(3)
        self.disk.unmount()

    @property
    def programs(self) -> list[Program]:
        """Everything that is started anew when it dies."""
        server = [self.postgresql.program] if self.postgresql is not None else []
        return [*server, self.ray.head, self.ray.node, *self.apis, *self.coordinators]

    @property
    def urls(self) -> list[str]:
        """Where clients find the APIs: behind a relay each."""
        return [f"http://127.0.0.1:{relay.port}" for relay in self.messages]

    def _settings(self) -> dict[str, str]:
        settings = {
            "BLOCKSMITH_DATA": str(self.data),
            "BLOCKSMITH_RAY_ADDRESS": self.ray.address,
            "BLOCKSMITH_ALLOWED_ROOTS": f'["{self.folder}"]',
            "BLOCKSMITH_LOG_FORMAT": "json",
            "BLOCKSMITH_MIN_FREE_BYTES": str(8 * 2**20),
            "BLOCKSMITH_LEASE_TTL_S": "10",
        }
        if self.postgresql is not None and self.rows is not None:
            settings["BLOCKSMITH_DATABASE"] = self.postgresql.url_at(self.rows.start())
        return settings

    def _open(self) -> Database:
        """The database as the judge sees it: not through the relay."""
        self.data.mkdir(parents=True, exist_ok=True)
        file = f"sqlite:///{self.data / 'blocksmith.sqlite'}"
        database = open_database(self.postgresql.url if self.postgresql is not None else file)
        database.migrate()
        return database

    def _make_key(self) -> str:
        address = self.postgresql.url if self.postgresql is not None else ""
        installation = Installation(settings=Settings(data=self.data, database=address))
        try:
            return local_key(installation)
        finally:
            installation.database.close()

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


def _plain_environment(folder: Path) -> dict[str, str]:
    """Nothing of the caller's but where programs are found."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "LANG": "C.UTF-8",
    }


def _answers(url: str) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            return httpx.get(f"{url}/health/live", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    return answers


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
