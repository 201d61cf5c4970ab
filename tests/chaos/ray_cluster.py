"""A Ray cluster of two nodes on this machine: a head and one more, each under its supervisor."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.chaos.programs import Program, wait_until

RAY = str(Path(sys.executable).with_name("ray"))
OBJECT_STORE_BYTES = 100 * 2**20
GONE_AFTER_S = 10
"""After this long without its head a node ends, and is started anew."""


class RayCluster:
    """Head and node, on a loopback address of their own so that other clusters here are no neighbours.

    Args:
        folder: For logs; sockets need a short path.
        cpus: Workers per node.
    """

    def __init__(self, folder: Path, address: str, environment: Mapping[str, str], cpus: int) -> None:
        self._host, self._port = address, _free_port(address)
        self.environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        whole = {
            **environment,
            **self.environment,
            "RAY_gcs_rpc_server_reconnect_timeout_s": str(GONE_AFTER_S),
        }
        common = [
            f"--node-ip-address={self._host}",
            f"--num-cpus={cpus}",
            f"--object-store-memory={OBJECT_STORE_BYTES}",
            "--disable-usage-stats",
            "--block",
        ]
        start = [RAY, "start"]
        head = ["--head", f"--port={self._port}", "--include-dashboard=false", f"--temp-dir={folder / 'ray'}"]
        # A container starts without the last one's notes; with them Ray takes the other node for a head.
        forget = ["sh", "-c", 'rm -f "$0" && exec "$@"', str(folder / "ray" / "ray_current_cluster")]
        self.head = Program(
            "ray head", [*forget, *start, *head, *common], whole, folder / "ray-head.log", contained=True
        )
        node = [*start, f"--address={self.address}", *common]
        self.node = Program("ray node", node, whole, folder / "ray-node.log", contained=True)

    @property
    def address(self) -> str:
        """Where coordinators join it."""
        return f"{self._host}:{self._port}"

    def start(self) -> None:
        """Start the head, wait for its control plane, start the node."""
        self.head.start()
        wait_until(self._answers, "Ray's control plane answers", 60)
        self.node.start()

    def raylet(self, program: Program) -> list[psutil.Process]:
        """The process of a node that starts its workers."""
        return _named(program, "raylet")

    @property
    def control_plane(self) -> list[psutil.Process]:
        """The head's global control service."""
        return _named(self.head, "gcs_server")

    @property
    def workers(self) -> list[psutil.Process]:
        """Processes that execute jobs."""
        return [*_named(self.head, "ray::RayWorker"), *_named(self.node, "ray::RayWorker")]

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self._host, self._port), timeout=1):
                return True
        except OSError:
            return False


def loopback_address(number: int) -> str:
    """One of the sixteen million addresses of the loopback interface; all stay on this machine."""
    return f"127.{64 + number % 128}.{number // 128 % 256}.2"


def _named(program: Program, name: str) -> list[psutil.Process]:
    found = []
    for process in program.family():
        try:
            title = " ".join(process.cmdline()[:1])
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if title.startswith(name) or os.path.basename(title) == name:
            found.append(process)
    return found


def _free_port(host: str) -> int:
    with socket.socket() as listener:
        listener.bind((host, 0))
        port: int = listener.getsockname()[1]
        return port
