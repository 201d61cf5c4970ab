"""The compose file's own commands, started by hand: PostgreSQL, Ray head and worker, two APIs, two coordinators."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from api.client import Client
from nas.errors import NasError
from tests.deployment.by_hand import Deployment, deployed
from tests.storage.databases import fresh_address
from tests.up.service import write_spec

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PATIENCE_S = 180.0


def eventually(deployment: Deployment, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if condition():
                return
        except NasError:
            pass  # not up yet
        deployment.keep()
        assert time.monotonic() < deadline, {label: deployment.log(label)[-2000:] for label in deployment.started}
        time.sleep(0.2)


def first_key(deployment: Deployment) -> str:
    """`docker compose exec api blocksmith key create ...`, by hand."""
    finished = subprocess.run(
        [sys.executable, "-m", "api.cli", "key", "create", "first admin", "--role", "admin"],
        env=deployment.environment("api", "api-1"),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.split("\n")[1].strip()


def driver_of(client: Client, deployment: Deployment) -> str:
    """The coordinator that drives the one search, by its process id; none says so for a moment after it took it."""
    busy = {process.process.split(":")[1] for process in client.cluster().processes if process.state.get("searches")}
    return next((label for label, process in deployment.started.items() if str(process.pid) in busy), "")


def test_a_search_survives_the_loss_of_a_coordinator_and_of_its_worker_node() -> None:
    with deployed(fresh_address("postgresql", Path())) as deployment:
        for name, replica in (("ray-head", 1), ("api", 1), ("api", 2)):
            deployment.start(name, replica)
        key = first_key(deployment)
        urls = {label: f"http://127.0.0.1:{port}" for label, port in deployment.ports.items()}
        with Client(urls["api-1"], key) as one, Client(urls["api-2"], key) as other:
            eventually(deployment, lambda: all(client.me().role == "admin" for client in (one, other)))
            deployment.start("ray-worker", 1)
            deployment.start("coordinator", 1)
            deployment.start("coordinator", 2)
            eventually(deployment, lambda: one.cluster().coordinators == 2)

            spec = write_spec(deployment.folder / "data" / "inputs", trials=6, steps=60)
            search = one.submit(spec.read_text()).search
            eventually(
                deployment, lambda: other.search(search).library is not None and driver_of(one, deployment) != ""
            )
            deployment.kill(driver_of(one, deployment))
            deployment.started["ray-worker-1"].kill()  # comes back, as its restart policy wants
            eventually(deployment, lambda: other.search(search).status.is_terminal)

            ended = other.search(search)
            assert (ended.status.value, ended.trials, ended.counts) == ("completed", 6, {"completed": 6})
            assert [event.id for event in other.events(search)] == list(range(1, ended.last_event + 1))
            assert one.ready().status in {"ready", "degraded"}
