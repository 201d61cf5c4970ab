"""Paths, queries and headers that want to break something: each kind is refused, and nothing breaks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.border.gate import API_POLICY
from api.routes.files import requested_part
from storage.unit_of_work import Database
from tests.api.hostile import faults, under_attack
from tests.api.serving import Served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from under_attack(tmp_path_factory)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/searches/..%2f..%2fetc%2fpasswd",
        "/v1/searches/%00",
        "/v1/searches/" + "a" * 4000,
        "/v1/searches/red-1'%20OR%201=1--",
        "/v1/searches/%ED%A0%80",
        "/v1/searches/red-1/trials/-1",
        "/v1/searches/red-1/trials/99999999999999999999",
        "/v1/searches/red-1/trials/1e3",
        "/v1/exports/..%2fx/content",
        "/v1/artifacts/..%2f..%2fblocksmith.sqlite",
        "/v1/artifacts/" + "g" * 64,
        "/v1/libraries/%2e%2e",
        "/v1/projects/..",
        "/static/..%2f..%2fserver.py",
        "/static/%2e%2e/%2e%2e/settings.py",
        "/static//etc/passwd",
    ],
)
def test_a_path_that_leads_nowhere_is_not_found(served: Served, path: str) -> None:
    answer = served.http.get(path, headers=served.bearer("admin"))
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "?limit"),
        ("limit=501", "?limit"),
        ("limit=1e2", "?limit"),
        ("limit=99999999999999999999999", "?limit"),
        ("statsu=running", "?statsu"),
        ("status=runing", "?status"),
        ("cursor=nonsense", "?cursor"),
        ("cursor=%00", "?cursor"),
        ("cursor=nan~x", "?cursor"),
        ("name=%00", "?name"),
        ("name=" + "a" * 200, "?name"),
        ("kind=both", "?kind"),
        ("project=..", "?project"),
    ],
)
def test_a_query_that_cannot_be_is_told_where(served: Served, query: str, pointer: str) -> None:
    answer = served.http.get(f"/v1/searches?{query}", headers=served.bearer("admin"))
    assert answer.status_code == 422
    assert pointer in faults(answer)


def test_a_misspelt_parameter_is_told_the_nearest(served: Served) -> None:
    answer = served.http.get("/v1/searches?statsu=running", headers=served.bearer("admin"))
    assert answer.json()["errors"][0]["nearest"] == "status"


@pytest.mark.parametrize("name", ["%", "_", "'; DROP TABLE searches; --", "\\", "ε☃"])
def test_a_name_is_looked_for_as_it_is_written(served: Served, name: str) -> None:
    answer = served.http.get("/v1/searches", params={"name": name}, headers=served.bearer("admin"))
    assert answer.json()["items"] == []


@pytest.mark.parametrize("key", ["a" * 201, "a b", "\x7f", "é".encode("latin-1")])
def test_an_idempotency_key_is_short_and_plain(served: Served, key: str) -> None:
    headers = {**served.bearer("red/submitter"), "Idempotency-Key": key}
    answer = served.http.post("/v1/searches", json={"name": "x"}, headers=headers)
    assert answer.status_code == 422
    assert "header idempotency-key" in faults(answer)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8484", "localhost.evil.example", "", "127.0.0.1.nip.io"]
)
def test_a_host_that_we_are_not_is_turned_away(served: Served, host: str) -> None:
    answer = served.http.get("/v1/me", headers={**served.bearer("admin"), "Host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "misdirected_request")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8484", "[::1]:8484", "10.0.0.7"])
def test_a_host_that_nobody_can_rebind_is_served(served: Served, host: str) -> None:
    assert served.http.get("/v1/me", headers={**served.bearer("admin"), "Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/v1/me", "/v1/searches/none", "/nothing", "/health/live", "/"])
def test_every_answer_keeps_browsers_safe(served: Served, path: str) -> None:
    headers = served.http.get(path, headers={**served.bearer("admin"), "Origin": "https://evil.example"}).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "access-control-allow-origin" not in headers
    assert (policy == API_POLICY) == (path != "/")


def test_a_preflight_of_a_stranger_is_refused(served: Served) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = served.http.options("/v1/searches", headers=headers)
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("range_header", ["bytes=5-1", "bytes=999999-", "bytes=-0"])
def test_there_are_no_bytes_in_a_range_that_is_none(range_header: str) -> None:
    assert requested_part(range_header, 10) is None


@pytest.mark.parametrize("range_header", [None, "", "bytes=-", "bytes=0-1,3-4", "lines=1-2", "bytes=0-", "bytes=-99"])
def test_what_is_no_single_range_gets_the_whole(range_header: str | None) -> None:
    assert requested_part(range_header, 10) == (0, 9)


def test_a_fault_of_ours_is_told_by_an_id_alone(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Database) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(Database, "reader", fail)
    answer = served.http.get("/v1/me", headers=served.bearer("red/submitter"))
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret detail" not in answer.text
    assert answer.json()["instance"].startswith("/v1/me#")
    assert answer.json()["instance"].split("#")[1] in answer.json()["hint"]
