"""Who may do what: every route, for every kind of key; and no project ever sees another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from api.access import Caller, require_role, split_token
from api.refusals import Forbidden, Unauthorized
from api.service.attempts import FAILURES_PER_MINUTE
from nas.domain.lifecycle import SearchStatus
from storage.administration import Export
from tests.api.filled import a_search, fill
from tests.api.serving import Served, serve

REFUSED = {401, 403, 404}
RED = "red/"


@dataclass(frozen=True)
class Route:
    """A route with what it needs.

    Attributes:
        least: The least role that may; `installation` is an admin of the whole installation.
        is_shared: Whether it speaks of nothing that belongs to a project, so that other projects may too.
    """

    method: str
    path: str
    least: str = "reader"
    body: Any = None
    is_shared: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


A_KEY = {"name": "another", "role": "reader"}
A_MOVE = {"constraints": [{"metric": "noise_mse_relative", "at_most": 0.4}]}
ROUTES = [
    Route("GET", "/v1/me", is_shared=True),
    Route("GET", "/v1/searches", is_shared=True),
    Route("POST", "/v1/searches?project=red", "submitter", {"name": ""}),
    Route("POST", "/v1/searches?project=red&check=true", "submitter", {"name": ""}),
    Route("POST", "/v1/dry-runs?project=red", "submitter", {"name": ""}),
    Route("GET", "/v1/searches/red-1"),
    Route("PATCH", "/v1/searches/red-1", "submitter", {"intent": "pause"}),
    Route("DELETE", "/v1/searches/red-2", "submitter"),
    Route("POST", "/v1/searches/red-2/restore", "submitter"),
    Route("POST", "/v1/searches/red-1/clone", "submitter", {"changes": {"name": None}}),
    Route("GET", "/v1/searches/red-1/spec"),
    Route("GET", "/v1/searches/red-1/bounds"),
    Route("POST", "/v1/searches/red-1/bounds", "submitter", A_MOVE),
    Route("GET", "/v1/searches/red-1/trials"),
    Route("GET", "/v1/searches/red-1/trials/3"),
    Route("GET", "/v1/searches/red-1/points"),
    Route("GET", "/v1/searches/red-1/front"),
    Route("GET", "/v1/searches/red-1/hypervolume"),
    Route("GET", "/v1/searches/red-1/health"),
    Route("GET", "/v1/searches/red-1/hardware"),
    Route("GET", "/v1/searches/red-1/recommendation?bound=noise_mse_relative:0.4"),
    Route("GET", "/v1/searches/red-1/library"),
    Route("GET", "/v1/searches/red-1/events"),
    Route("GET", "/v1/searches/red-1/exports"),
    Route("POST", "/v1/searches/red-1/exports", "submitter", {"trial": 0}),
    Route("GET", "/v1/exports/redexport"),
    Route("GET", "/v1/exports/redexport/content"),
    Route("GET", "/v1/libraries", is_shared=True),
    Route("GET", "/v1/libraries/LIBRARY"),
    Route("GET", "/v1/artifacts/ARTIFACT"),
    Route("GET", "/v1/devices", is_shared=True),
    Route("GET", "/v1/catalogue", is_shared=True),
    Route("GET", "/v1/spec-schema", is_shared=True),
    Route("GET", "/v1/projects", is_shared=True),
    Route("POST", "/v1/projects", "installation", {"project": "red"}),
    Route("GET", "/v1/projects/red"),
    Route("PATCH", "/v1/projects/red", "installation", {}),
    Route("GET", "/v1/projects/red/keys", "admin"),
    Route("POST", "/v1/projects/red/keys", "admin", A_KEY),
    Route("GET", "/v1/keys", "installation"),
    Route("POST", "/v1/keys", "installation", A_KEY),
    Route("DELETE", "/v1/keys/KEY", "admin"),
    Route("GET", "/v1/audit?project=red", "admin"),
    Route("GET", "/v1/cluster", is_shared=True),
]
RANK = {"reader": 0, "submitter": 1, "admin": 2, "installation": 3}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = serve(tmp_path_factory.mktemp("access"))
    database = served.installation.database
    for search_id in ("red-1", "red-2"):
        fill(database, a_search(search_id, project="red"), status=SearchStatus.COMPLETED)
    fill(database, a_search("blue-1", project="blue", seed=1), trials=5)
    digest = served.installation.workspace.artifacts.put(b"a zip")
    export = Export(
        id="redexport", search="red-1", project="red", trial=1, status="done", artifact=digest, created_at=1.0
    )
    with database.unit_of_work() as uow:
        uow.exports.add(export)
        library = uow.libraries.list("red")[0].id
        uow.commit()
    served.names = {"ARTIFACT": digest, "LIBRARY": library}
    with served.http:
        yield served


def ask(served: Served, route: Route, headers: dict[str, str]) -> int:
    path = route.path.replace("KEY", split_token(served.key("red", "reader"))[0])
    for name, value in served.names.items():
        path = path.replace(name, value)
    return served.http.request(route.method, path, headers=headers, json=route.body).status_code


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_key_may_do_what_its_role_says_and_nothing_else(route: Route, served: Served) -> None:
    for role in ("reader", "submitter", "admin"):
        status = ask(served, route, served.bearer(RED + role))
        if RANK[role] < RANK[route.least]:
            assert status == 403, role
        else:
            assert status not in REFUSED, role
    assert ask(served, route, served.bearer("admin")) not in REFUSED


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.is_shared], ids=str)
def test_for_another_project_it_does_not_exist(route: Route, served: Served) -> None:
    status = ask(served, route, served.bearer("blue/admin"))
    assert status == (403 if route.least == "installation" else 404)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_without_a_valid_key_there_is_nothing(route: Route, served: Served) -> None:
    revoked = {"Authorization": f"Bearer {served.key('red', 'admin', revoked_at=time.time())}"}
    expired = {"Authorization": f"Bearer {served.key('red', 'admin', expires_at=time.time() - 1)}"}
    for headers in ({}, revoked, expired):
        # A blocked address is tested below; here every route is asked from a fresh one.
        served.http.app.state.service._attempts.__init__()
        assert ask(served, route, headers) == 401


def test_every_route_is_in_the_matrix(served: Served) -> None:
    paths = served.http.app.openapi()["paths"]
    known = {("GET", "/v1/events"), ("GET", "/metrics"), ("GET", "/health/live"), ("GET", "/health/ready")}
    for route in ROUTES:
        known |= {(route.method, template) for template in paths if _fits(template, route.path.partition("?")[0])}
    every = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    assert every - known == set()


def test_lists_hold_nothing_of_another_project(served: Served) -> None:
    def items(path: str, who: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = served.http.get(path, headers=served.bearer(who)).json()["items"]
        return found

    assert {one["project"] for one in items("/v1/searches", "blue/reader")} == {"blue"}
    assert {one["project"] for one in items("/v1/searches", "admin")} == {"red", "blue"}
    assert [one["project"] for one in items("/v1/projects", "blue/reader")] == ["blue"]
    assert {one["project"] for one in items("/v1/audit", "blue/admin")} <= {"blue"}
    assert {search for one in items("/v1/libraries", "blue/reader") for search in one["searches"]} == {"blue-1"}
    assert {one["project"] for one in items("/v1/projects/blue/keys", "blue/admin")} == {"blue"}


def test_metrics_speak_of_all_projects_and_need_a_key_of_all(served: Served) -> None:
    assert served.http.get("/metrics").status_code == 401
    assert served.http.get("/metrics", headers=served.bearer("red/admin")).status_code == 403
    assert "blocksmith_http_requests_total" in served.http.get("/metrics", headers=served.bearer("admin")).text


def test_a_foreign_search_and_one_that_never_was_get_the_same_answer(served: Served) -> None:
    def told(search: str) -> dict[str, Any]:
        answer = served.http.get(f"/v1/searches/{search}", headers=served.bearer("blue/admin")).json()
        return {name: str(value).replace(search, "ID") for name, value in answer.items()}

    assert told("red-1") == told("red-9")


def test_an_idempotency_key_is_of_one_project(served: Served) -> None:
    with served.installation.database.unit_of_work() as uow:
        uow.idempotency.record("red", "monday", "0" * 64, "red-1", 1.0)
        uow.commit()
    headers = {**served.bearer("blue/submitter"), "Idempotency-Key": "monday"}
    answer = served.http.post("/v1/searches", json={"name": ""}, headers=headers)
    assert answer.status_code == 422  # judged as a new request of blue's; red's would be a conflict
    assert "red" not in answer.text


def test_a_project_admin_cannot_make_a_key_for_more_than_the_project(served: Served) -> None:
    headers = served.bearer("red/admin")
    assert served.http.post("/v1/keys", json=A_KEY, headers=headers).status_code == 403
    assert served.http.post("/v1/projects/blue/keys", json=A_KEY, headers=headers).status_code == 404


def test_the_secret_of_a_key_is_shown_once_and_stored_nowhere(served: Served) -> None:
    made = served.http.post("/v1/projects/red/keys", json=A_KEY, headers=served.bearer("red/admin")).json()
    secret = split_token(made["token"])[1]
    assert served.http.get("/v1/me", headers={"Authorization": f"Bearer {made['token']}"}).json()["role"] == "reader"
    for path in ("/v1/projects/red/keys", "/v1/audit"):
        assert secret not in served.http.get(path, headers=served.bearer("red/admin")).text
    stored = b"".join(file.read_bytes() for file in served.installation.settings.data.glob("blocksmith.sqlite*"))
    assert secret.encode() not in stored


def test_a_revoked_key_is_refused_at_once(served: Served) -> None:
    made = served.http.post("/v1/projects/red/keys", json=A_KEY, headers=served.bearer("red/admin")).json()
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert served.http.get("/v1/me", headers=headers).status_code == 200
    assert served.http.delete(f"/v1/keys/{made['key']}", headers=served.bearer("red/admin")).status_code == 204
    assert served.http.get("/v1/me", headers=headers).status_code == 401


def test_every_write_leaves_a_line_in_the_audit_trail(served: Served) -> None:
    headers = served.bearer("red/submitter")
    served.http.post("/v1/searches/red-1/bounds", json=A_MOVE, headers=headers)
    line = served.http.get("/v1/audit", headers=served.bearer("red/admin")).json()["items"][0]
    key = served.http.get("/v1/me", headers=headers).json()["key"]
    assert (line["action"], line["subject"], line["key"]) == ("move bounds", "red-1", key)


def test_guessing_is_stopped_and_says_when_to_come_back(served: Served) -> None:
    attempts = served.http.app.state.service._attempts
    attempts.__init__()
    wrong = {"Authorization": f"Bearer bsk_{'a' * 12}_{'b' * 43}"}
    good = served.bearer("red/reader")
    assert served.http.get("/v1/me", headers=good).status_code == 200
    statuses = [served.http.get("/v1/me", headers=wrong).status_code for _ in range(FAILURES_PER_MINUTE + 2)]
    assert statuses == [401] * FAILURES_PER_MINUTE + [429] * 2
    answer = served.http.get("/v1/me", headers=wrong)
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    # Even the right guess is not looked at now; a key that has worked before is.
    fresh = {"Authorization": f"Bearer {served.key('red', 'admin')}"}
    assert served.http.get("/v1/me", headers=fresh).status_code == 429
    assert served.http.get("/v1/me", headers=good).status_code == 200
    attempts.__init__()


@pytest.mark.parametrize(
    "token", ["", "x", "bsk_", f"bsk_{'a' * 12}_{'b' * 42}", f"bsk_{'A' * 12}_{'b' * 43}", "a" * 9999]
)
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(Unauthorized):
        split_token(token)


def test_a_role_too_low_is_told_which_one_it_takes() -> None:
    with pytest.raises(Forbidden, match="role admin"):
        require_role(Caller("k", "red", "submitter", ""), "admin")


def _fits(template: str, path: str) -> bool:
    expected, given = template.split("/"), path.split("/")
    return len(expected) == len(given) and all(
        one == other or one.startswith("{") for one, other in zip(expected, given, strict=True)
    )
