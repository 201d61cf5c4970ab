"""Runs the services of `docker-compose.yml` without containers: their own commands and environment, on this machine.

What a container engine would provide is stood in for by text: host names become addresses of the loopback
network (each Ray node gets one of its own), `/data` and `/run/secrets` become folders, ports become free ones,
and `keep` starts again what ended.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.deployment.composition import ROOT, compose, service

HEAD_ADDRESS = "127.0.0.2"
ENTRY = "127.0.0.1"
RESTARTS = 3
"""Of one Ray node: Ray gives its own processes 30 seconds to start, and ends where they take longer."""


def free_port(host: str = ENTRY) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@dataclass
class Deployment:
    """One run of the compose file by hand.

    Attributes:
        folder: Of data, secrets and logs.
        started: Processes by service and replica, as in `api-1`.
        ports: Port of each API replica.
    """

    folder: Path
    database: str
    token: str = field(default_factory=lambda: secrets.token_hex(32))
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._gcs = free_port(HEAD_ADDRESS)
        self._lost: set[str] = set()
        self._restarts: Counter[str] = Counter()
        for part in ("data/inputs", "secrets", "logs"):
            (self.folder / part).mkdir(parents=True)
        made = {"blocksmith_database": self.database, "ray_token": self.token, "postgres_password": ""}
        assert set(made) == set(compose()["secrets"])
        for name, text in made.items():
            (self.folder / "secrets" / name).write_text(text)

    def start(self, name: str, replica: int) -> None:
        """Start one replica of a service."""
        found = service(name)
        replicas = found.get("deploy", {}).get("replicas", 1)
        assert 1 <= replica <= replicas
        label = f"{name}-{replica}"
        stand_ins = self._stand_ins(label)
        command = [self._replaced(part, stand_ins) for part in found["command"]]
        if command[0] == "ray":
            command[2:2] = self._node_flags(label).split()
        with (self.folder / "logs" / f"{label}.log").open("ab") as log:
            self.started[label] = subprocess.Popen(
                command,
                cwd=self.folder / "data",
                env=self.environment(name, label),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def environment(self, name: str, label: str) -> dict[str, str]:
        """Environment of a replica: the compose file's, on top of a path and a home."""
        stand_ins = self._stand_ins(label)
        given = {key: self._replaced(value, stand_ins) for key, value in service(name)["environment"].items()}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        own = {"PATH": path, "HOME": str(self.folder), "HOSTNAME": label, "PYTHONPATH": str(ROOT)}
        return {**own, "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1", **given}

    def keep(self) -> None:
        """Start Ray nodes again that ended by themselves, as their restart policy wants; a few times each.

        That policy is every service's. But one of our own that ends is a fault, which no restart may hide.
        """
        for label, process in list(self.started.items()):
            if process.poll() is None or label in self._lost:
                continue
            name, replica = label.rsplit("-", 1)
            self._restarts[label] += 1
            is_kept = name.startswith("ray-") and service(name)["restart"] == "unless-stopped"
            most = RESTARTS if is_kept else 0
            assert self._restarts[label] <= most, f"{label} ended:\n{self.log(label)}"
            self._kill_all_of(label)  # a Ray node leaves processes behind when its start fails
            self.start(name, int(replica))

    def log(self, label: str) -> str:
        """What a replica said."""
        return (self.folder / "logs" / f"{label}.log").read_text(errors="replace")

    def kill(self, label: str) -> None:
        """SIGKILL a replica with everything it started, as when its machine is lost; it stays away."""
        self._lost.add(label)
        victims = [self.started[label].pid, *(p.pid for p in psutil.Process(self.started[label].pid).children(True))]
        for pid in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()
        self.started[label].wait()

    def end(self) -> None:
        """Kill everything of this deployment."""
        self._kill_all_of("")
        for process_of_ours in self.started.values():
            process_of_ours.kill()
            process_of_ours.wait()

    def _kill_all_of(self, label: str) -> None:
        """Kill what belongs to a replica, or to any: all of it knows this deployment's token."""
        token = str(self.folder / "secrets" / "ray_token")
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                own = process.environ()
                if own.get("RAY_AUTH_TOKEN_PATH") == token and label in ("", own.get("HOSTNAME")):
                    process.kill()

    def _stand_ins(self, label: str) -> dict[str, str]:
        if label.startswith("api-") and label not in self.ports:
            self.ports[label] = free_port()
        return {
            "ray-head:6379": f"{HEAD_ADDRESS}:{self._gcs}",
            "--port=6379": f"--port={self._gcs}",
            "/run/secrets": str(self.folder / "secrets"),
            "/data": str(self.folder / "data"),
            "0.0.0.0": ENTRY,
            "8484": str(self.ports.get(label, 8484)),
            "9464": str(free_port()),
            # Of a coordinator's shell line; a service that is a Ray node itself gets them in `start`.
            "ray start": f"ray start {self._node_flags(label)}" if label.startswith("coordinator-") else "ray start",
        }

    def _node_flags(self, label: str) -> str:
        if label == "ray-head-1":
            # Sockets want a short path.
            return f"--node-ip-address={HEAD_ADDRESS} --temp-dir={self.folder}/ray"
        place = {"ray-worker-1": 3, "coordinator-1": 4, "coordinator-2": 5}[label]
        return f"--node-ip-address=127.0.0.{place}"

    @staticmethod
    def _replaced(text: str, stand_ins: dict[str, str]) -> str:
        for original, instead in stand_ins.items():
            text = text.replace(original, instead)
        return text


@contextlib.contextmanager
def deployed(database: str) -> Iterator[Deployment]:
    """A deployment that has started nothing yet; whatever it starts is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="by-hand-", dir="/tmp"))
    deployment = Deployment(folder, database)
    try:
        yield deployment
    finally:
        deployment.end()
        shutil.rmtree(folder, ignore_errors=True)
