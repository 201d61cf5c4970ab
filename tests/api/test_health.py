"""Health tells the truth: about the database, the disk, and whether anybody works."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nas.errors import TransientError
from storage.administration import Process
from storage.unit_of_work import Database
from tests.api.filled import a_search, fill
from tests.api.serving import Served, serve


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = serve(tmp_path / "data")
    with served.http:
        yield served


def ready(served: Served) -> tuple[int, str, dict[str, bool]]:
    answer = served.http.get("/health/ready")
    checks = {check["name"]: check["ok"] for check in answer.json()["checks"]}
    return answer.status_code, answer.json()["status"], checks


def coordinator(slots: int) -> Process:
    state = {"slots": slots, "busy": 1, "queued": 2}
    return Process(id="c1", kind="coordinator", host="node", pid=1, started_at=1.0, document=state)


def test_without_coordinators_it_serves_but_says_that_searches_wait(served: Served) -> None:
    assert ready(served) == (200, "degraded", {"database": True, "disk": True, "workers": False})


def test_with_slots_it_is_ready_and_the_cluster_adds_up(served: Served) -> None:
    with served.installation.database.unit_of_work() as uow:
        uow.processes.beat(coordinator(4))
        uow.commit()
    assert ready(served)[:2] == (200, "ready")
    everything = served.http.get("/v1/cluster", headers=served.bearer("admin")).json()
    assert (everything["slots"], everything["busy"], everything["queued"]) == (4, 1, 2)
    assert "c1" in [process["process"] for process in everything["processes"]]
    # Names of machines are nobody's business who has one project.
    assert served.http.get("/v1/cluster", headers=served.bearer("red/admin")).json()["processes"] == []


def test_a_coordinator_without_slots_is_no_worker(served: Served) -> None:
    with served.installation.database.unit_of_work() as uow:
        uow.processes.beat(coordinator(0))
        uow.commit()
    assert ready(served)[1] == "degraded"


def test_a_full_disk_is_not_ready(tmp_path: Path) -> None:
    served = serve(tmp_path / "data", min_free_bytes=2**62)
    assert ready(served)[:2] == (503, "unready")


def test_a_database_that_is_away_is_not_ready_but_alive_and_asks_for_another_try(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(served.installation.database, a_search("red-1", project="red"), 3)
    headers = served.bearer("red/reader")

    @contextlib.contextmanager
    def away(self: Database) -> Iterator[Any]:
        raise TransientError("The database cannot be reached.", "Check that it runs, then try again.")
        yield

    monkeypatch.setattr(Database, "reader", away)
    monkeypatch.setattr(Database, "ping", lambda self: Database.reader(self).__enter__())
    assert ready(served) == (503, "unready", {"database": False, "disk": True, "workers": False})
    assert served.http.get("/health/live").status_code == 200
    answer = served.http.get("/v1/searches/red-1", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "transient_error")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_database_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    served = serve(tmp_path / "data")
    served.installation.database.close()
    for file in (tmp_path / "data").glob("blocksmith.sqlite*"):
        file.unlink()
    (tmp_path / "data" / "blocksmith.sqlite").write_bytes(b"this is no database" * 1000)
    status, verdict, checks = ready(served)
    assert (status, verdict, checks["database"]) == (503, "unready", False)


def test_an_api_process_gives_signs_of_life_and_says_goodbye(served: Served) -> None:
    def kinds() -> list[str]:
        with served.installation.database.reader() as uow:
            return [process.kind for process, _ in uow.processes.alive(60)]

    deadline = time.monotonic() + 10
    while kinds() != ["api"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    served.http.__exit__(None, None, None)
    assert kinds() == []
    served.http.__enter__()


def test_metrics_count_requests_by_template_never_by_id(served: Served) -> None:
    for search in ("a-1", "b-2", "c-3"):
        served.http.get(f"/v1/searches/{search}", headers=served.bearer("admin"))
    served.http.get("/nothing/of/that/kind")
    text = served.http.get("/metrics", headers=served.bearer("admin")).text
    counted = 'blocksmith_http_requests_total{method="GET",route="/v1/searches/{search}",status="404"} 3.0'
    assert counted in text
    assert "b-2" not in text
    assert "nothing" not in text


def test_open_metrics_need_no_key(tmp_path: Path) -> None:
    assert serve(tmp_path / "data", open_metrics=True).http.get("/metrics").status_code == 200
