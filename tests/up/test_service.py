"""`blocksmith up` for real: its processes, its page, its commands, and what is left when it is killed."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.up.service import answer, blocksmith, eventually, family, serving, supervised, write_spec

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[dict[str, Any]]:
    with serving(folder) as told:
        yield told


@pytest.fixture(scope="module")
def finished(folder: Path, service: dict[str, Any]) -> dict[str, Any]:
    spec = write_spec(folder)
    found: dict[str, Any] = answer(folder, "submit", str(spec), "--wait", "--output", "out", "--data", "data")
    return found


def test_the_link_opens_the_page_and_its_key_everything(service: dict[str, Any]) -> None:
    assert httpx.get(service["url"]).status_code == 200
    key = service["page"].partition("#key=")[2]
    me = httpx.get(f"{service['url']}/v1/me", headers={"Authorization": f"Bearer {key}"}).json()
    assert (me["role"], me["project"]) == ("admin", None)
    assert httpx.get(f"{service['url']}/v1/searches").status_code == 401


def test_no_log_holds_the_key(folder: Path, service: dict[str, Any]) -> None:
    secret = service["page"].partition("#key=")[2].split("_", 2)[2]
    logs = "".join(log.read_text() for log in (folder / "data" / "logs").iterdir())
    assert logs
    assert len(secret) > 30  # the secret itself may hold underscores
    assert secret not in logs


def test_starting_it_again_says_where_it_runs(folder: Path, service: dict[str, Any]) -> None:
    assert answer(folder, "up", "--data", "data", "--detach") == service
    problem = answer(folder, "up", "--data", "data", expect=1)["error"]
    assert problem["code"] == "conflict"
    assert service["url"] in problem["message"]


def test_a_submitted_search_is_driven_to_its_end_and_written(folder: Path, finished: dict[str, Any]) -> None:
    assert finished["status"] == "completed"
    assert finished["trials"] == finished["budget"]
    assert json.loads((folder / "out" / "front.json").read_text())["search"] == finished["search"]
    assert (folder / "out" / "front.png").read_bytes().startswith(b"\x89PNG")
    report = json.loads((folder / "out" / "winner" / "report.json").read_text())
    assert report["trial"] == finished["best"]["trial"]
    assert (folder / "out" / "winner" / "model.onnx").exists()


def test_an_exported_network_is_what_its_report_says(folder: Path, finished: dict[str, Any]) -> None:
    blocksmith(folder, "export", finished["search"], "--trial", "1", "--output", "one", "--data", "data")
    judged = answer(folder, "evaluate", "one")["metrics"]
    for metric in judged.values():
        assert metric["now"] == pytest.approx(metric["recorded"], rel=1e-4, abs=1e-6)


def test_local_and_remote_commands_tell_the_same(
    folder: Path, service: dict[str, Any], finished: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = finished["search"]
    told = [answer(folder, command, found, "--data", "data") for command in ("front", "trials")]
    monkeypatch.setenv("BLOCKSMITH_URL", service["url"])
    monkeypatch.setenv("BLOCKSMITH_KEY", service["page"].partition("#key=")[2])
    monkeypatch.setenv("BLOCKSMITH_DATA", str(folder / "elsewhere"))
    assert [answer(folder, command, found) for command in ("front", "trials")] == told
    assert not (folder / "elsewhere").exists(), "a remote command leaves nothing on this machine"


def test_bounds_move_as_versions(folder: Path, finished: dict[str, Any]) -> None:
    versions = answer(folder, "bounds", finished["search"], "noise_mse=5", "--data", "data")
    assert [version["version"] for version in versions] == [0, 1]
    assert versions[-1]["constraints"] == [{"metric": "noise_mse", "at_most": 5.0, "grid": []}]
    problem = answer(folder, "bounds", finished["search"], "noise_mse", "--data", "data", expect=2)["error"]
    assert problem["errors"][0]["nearest"] == "noise_mse_relative=0.05"


def test_a_killed_child_comes_back_and_callers_are_not_refused(folder: Path, service: dict[str, Any]) -> None:
    before = supervised(folder, "api")
    before.kill()
    assert httpx.get(f"{service['url']}/health/live", timeout=60).status_code == 200
    assert supervised(folder, "api").pid != before.pid


def test_a_paused_search_survives_the_end_of_everything(folder: Path, service: dict[str, Any]) -> None:
    """Submit, pause, kill -9 the supervisor, start again, resume, watch to the end."""
    spec = write_spec(folder, name="long", trials=6, steps=400)
    search = answer(folder, "submit", str(spec), "--data", "data")["search"]
    answer(folder, "pause", search, "--data", "data")
    eventually(lambda: answer(folder, "searches", "--status", "paused", "--data", "data"))
    children = [supervised(folder, "api"), supervised(folder, "coordinator")]
    psutil.Process(service["pid"]).kill()
    again = answer(folder, "up", "--data", "data", "--port", str(httpx.URL(service["url"]).port), "--detach")
    assert again["page"] == service["page"]
    psutil.wait_procs(children, timeout=60)
    assert not any(child.is_running() for child in children)
    assert answer(folder, "resume", search, "--data", "data")["intent"] == "run"
    watched = answer(folder, "watch", search, "--data", "data")
    assert (watched["status"], watched["trials"]) == ("completed", 6)
    assert "is completed. Clone it to go on" in blocksmith(folder, "resume", search, "--data", "data")


def test_keys_and_projects_are_administered(folder: Path, service: dict[str, Any]) -> None:
    answer(folder, "project", "create", "vision", "--trials", "100", "--data", "data")
    (changed,) = answer(folder, "project", "quota", "vision", "--lift", "trials", "--data", "data")
    assert changed["quota"]["trials"] is None
    made = answer(folder, "key", "create", "reading", "--project", "vision", "--data", "data")
    remote = ["--url", service["url"], "--key", made["token"]]
    assert answer(folder, "searches", *remote) == []
    answer(folder, "key", "revoke", made["key"], "--data", "data")
    assert answer(folder, "searches", *remote, expect=2)["error"]["code"] == "unauthorized"
    states = {key["key"]: key["revoked_at"] for key in answer(folder, "key", "list", "--data", "data")}
    assert states[made["key"]] is not None


def test_a_taken_port_is_told_before_anything_starts(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        problem = answer(folder, "up", "--data", "other", "--port", str(port), expect=1)["error"]
    assert f"--port {port + 1}" in problem["hint"]
    assert [process for process in family(folder) if "other" in process.cmdline()] == []
