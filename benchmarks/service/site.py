"""An installation in a folder of its own, with its database and an API process."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from api.installation import Installation
from api.settings import Settings
from api.up.local_key import local_key
from tests.chaos.postgresql import PostgreSQL

log = logging.getLogger("bench")

ROOT = Path(__file__).resolve().parents[2]
SPEC: dict[str, Any] = {
    "strategy": {"name": "random"},
    "constraints": [{"metric": "noise_mse_relative", "at_most": 0.03}],
    "parallelism": 16,
}
"""The reference teacher and its default space of 92,160 architectures; random, so that nothing is modelled."""


class Site:
    """One installation under measurement.

    Args:
        kind: `sqlite` or `postgresql`.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self._postgresql = PostgreSQL(folder, self.environment) if kind == "postgresql" else None
        if self._postgresql is not None:
            self._postgresql.start()
        url = self._postgresql.url if self._postgresql is not None else ""
        self.settings = Settings(data=folder / "data", database=url)
        self.installation = Installation(settings=self.settings)
        self.database = self.installation.database
        self.key = local_key(self.installation)
        self.environment |= {"BLOCKSMITH_DATA": str(folder / "data"), "BLOCKSMITH_DATABASE": url}
        self._serve()

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": f"Bearer {self.key}"}

    def client(self) -> httpx.Client:
        """A client with a connection that is kept."""
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=120)

    def submit(self, client: httpx.Client, name: str, trials: int, **changes: Any) -> str:
        """Submit a search through the API; returns its id."""
        project = changes.pop("project", "default")
        spec = {**SPEC, "name": name, "budget": {"trials": trials}, **changes}
        answer = client.post("/v1/searches", params={"project": project}, json=spec)
        answer.raise_for_status()
        return str(answer.json()["search"])

    def program(self, module: str, *arguments: str, **how: Any) -> subprocess.Popen[str]:
        """Start a Python program on this installation."""
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(command, env=self.environment, cwd=ROOT, text=True, **how)

    def close(self) -> None:
        """Stop API and database; what the API had to complain about is shown."""
        for line in (self.folder / "api.log").read_text().splitlines():
            if "[error" in line or "[warning" in line or "Error" in line:
                log.warning("the API said: %s", line[:400])
        self._api.send_signal(signal.SIGTERM)
        try:
            self._api.wait(15)
        except subprocess.TimeoutExpired:
            self._api.kill()
        self.database.close()
        if self._postgresql is not None:
            self._postgresql.program.end(5)

    def _serve(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        log = (self.folder / "api.log").open("ab")
        self._api = self.program("api.cli", "api", "--port", str(port), stdout=log, stderr=log)
        until = time.monotonic() + 60
        while not _lives(self.url):
            if time.monotonic() > until or self._api.poll() is not None:
                raise RuntimeError((self.folder / "api.log").read_text()[-2000:])
            time.sleep(0.1)


def _lives(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def quantiles_ms(seconds: list[float]) -> Mapping[str, float]:
    """Median, 95th percentile and worst, in milliseconds."""
    ordered = sorted(seconds)
    return {
        "p50_ms": 1e3 * ordered[len(ordered) // 2],
        "p95_ms": 1e3 * ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))],
        "worst_ms": 1e3 * ordered[-1],
    }
