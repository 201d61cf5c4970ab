"""Many at once, on both databases: one key is one search, one quota is kept, one mover of bounds wins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.api.filled import a_search, fill
from tests.api.serving import Served, serve
from tests.storage.databases import fresh_address

AT_ONCE = 8
SPEC = {
    "name": "race",
    "constraints": [{"metric": "noise_mse_relative", "at_most": 0.05}],
    "space": {"E1": ["teacher", "RA"], "E2": ["teacher", "RA"]},
    "budget": {"trials": 4},
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data: Path = tmp_path_factory.mktemp("races")
    served = serve(data, database=fresh_address(request.param, data))
    fill(served.installation.database, a_search("red-1", project="red"), 5)
    with served.http:
        served.http.app.state.service.desk.catalogue()
        yield served
    served.installation.database.close()


def at_once(send: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(send, range(AT_ONCE)))


def test_one_idempotency_key_is_one_search_however_many_send_it(served: Served) -> None:
    headers = {**served.bearer("blue/submitter"), "Idempotency-Key": "same"}
    answers = at_once(lambda _: served.http.post("/v1/searches", json=SPEC, headers=headers))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: AT_ONCE - 1}
    assert len({answer.json()["search"] for answer in answers}) == 1
    assert len(served.http.get("/v1/searches", headers=headers).json()["items"]) == 1


def test_a_quota_holds_however_many_submit(served: Served) -> None:
    served.project("tight", trials=9)
    headers = served.bearer("tight/submitter")
    answers = at_once(lambda _: served.http.post("/v1/searches", json=SPEC, headers=headers))
    assert Counter(answer.status_code for answer in answers) == {201: 2, 403: AT_ONCE - 2}


def test_of_many_who_move_the_same_version_of_the_bounds_one_wins(served: Served) -> None:
    def move(number: int) -> Any:
        body = {"constraints": [{"metric": "noise_mse_relative", "at_most": 0.1 + number}], "base_version": 0}
        return served.http.post("/v1/searches/red-1/bounds", json=body, headers=served.bearer("red/submitter"))

    served.bearer("red/submitter")
    answers = at_once(move)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: AT_ONCE - 1}
    versions = served.http.get("/v1/searches/red-1/bounds", headers=served.bearer("red/reader")).json()["items"]
    assert [version["version"] for version in versions] == [0, 1]


def test_one_export_is_ordered_however_many_ask(served: Served) -> None:
    headers = served.bearer("red/submitter")
    answers = at_once(lambda _: served.http.post("/v1/searches/red-1/exports", json={"trial": 1}, headers=headers))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["export"] for answer in answers}) == 1


def test_everything_is_read_on_either_database(served: Served) -> None:
    headers = served.bearer("admin")
    search = "/v1/searches/red-1"
    parts = ("spec", "bounds", "trials", "trials/1", "points", "front", "hypervolume", "library", "events", "exports")
    everything = [search, *(f"{search}/{part}" for part in parts), "/v1/searches?name=RED&status=running"]
    everything += [f"/v1/{part}" for part in ("libraries", "projects", "audit", "cluster", "keys", "me")]
    everything += ["/metrics", "/health/ready"]
    statuses = {path: served.http.get(path, headers=headers).status_code for path in everything}
    assert statuses == dict.fromkeys(everything, 200)
