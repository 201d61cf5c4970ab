"""A backend on a cluster that somebody else started, from another folder, with token authentication."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
JOIN = """
import sys
from storage.artifacts import DirectoryWorkspace
from tests.workers.deeds import a_job, act
from workers.ray_backend import RayBackend

backend = RayBackend(DirectoryWorkspace(sys.argv[2]), address=sys.argv[1], execute=act)
backend.submit(a_job("look", "PWD"))
outcomes = []
while not outcomes:
    outcomes = backend.poll(1.0)
sys.stdout.write(outcomes[0].result.weights)
backend.close()
"""


@dataclass
class Cluster:
    address: str
    token: str
    home: Path


def environment(token: str) -> dict[str, str]:
    # The last one keeps a cluster of one machine off the network.
    token_only = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    return {**os.environ, **token_only}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets want a short path
    token = secrets.token_hex(32)
    start = ["start", "--head", "--port", str(port), "--num-cpus", "1", "--include-dashboard", "false"]
    try:
        subprocess.run(
            [sys.executable, "-m", "ray.scripts.scripts", *start, "--disable-usage-stats", "--temp-dir", str(home)],
            cwd=home,
            env=environment(token),
            check=True,
            capture_output=True,
            timeout=200,
        )
        yield Cluster(f"127.0.0.1:{port}", token, home)
    finally:
        for process in psutil.process_iter(["cmdline", "environ"]):
            ours = str(home) in " ".join(process.info["cmdline"] or ())
            if ours or (process.info["environ"] or {}).get("RAY_AUTH_TOKEN") == token:
                process.kill()


def join(cluster: Cluster, token: str, workspace: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", JOIN, cluster.address, str(workspace)],
        cwd=ROOT,
        env=environment(token),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def test_workers_of_a_cluster_get_our_packages_and_answer(cluster: Cluster, tmp_path: Path) -> None:
    finished = join(cluster, cluster.token, tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert Path(finished.stdout) != ROOT


def test_a_cluster_refuses_who_does_not_know_its_token(cluster: Cluster, tmp_path: Path) -> None:
    finished = join(cluster, "0" * 64, tmp_path)
    assert finished.returncode != 0
    assert "cannot be joined" in finished.stderr
