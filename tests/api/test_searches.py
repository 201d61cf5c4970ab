"""Searches over REST: submitted once, listed, steered, cloned, thrown away and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nas.domain.lifecycle import SearchStatus, TrialStatus
from nas.domain.trial import Attempt
from tests.api.filled import a_search, an_evaluation, fill
from tests.api.serving import Served, serve

SPEC = {
    "name": "Tiny try",
    "constraints": [{"metric": "noise_mse_relative", "at_most": 0.05}],
    "space": {"E1": ["teacher", "RA"], "E2": ["teacher", "RA"]},
    "budget": {"trials": 4},
}


@pytest.fixture(scope="module")
def warm() -> None:
    """What the first submission would wait for."""
    from api.teachers import catalogue_document

    catalogue_document()


@pytest.fixture
def served(tmp_path: Any) -> Iterator[Served]:
    served = serve(tmp_path / "data")
    with served.http:
        yield served


def ask(served: Served, method: str, path: str, who: str = "red/submitter", body: Any = None, **headers: str) -> Any:
    return served.http.request(method, path, json=body, headers={**served.bearer(who), **headers})


def stored(served: Served, search_id: str, status: SearchStatus = SearchStatus.RUNNING, **facts: Any) -> None:
    fill(served.installation.database, a_search(search_id, project="red", **facts), trials=12, status=status)


@pytest.mark.usefixtures("warm")
def test_a_submitted_search_waits_for_a_coordinator_with_everything_filled_in(served: Served) -> None:
    answer = ask(served, "POST", "/v1/searches", body=SPEC)
    found = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/searches/{found['search']}"
    assert (found["status"], found["intent"], found["project"]) == ("created", "run", "red")
    assert found["search"].startswith("tiny-try-")
    spec = ask(served, "GET", f"/v1/searches/{found['search']}/spec").json()
    assert spec["teacher"]["fingerprint"]
    assert ask(served, "GET", "/v1/searches/latest").json()["search"] == found["search"]


@pytest.mark.usefixtures("warm")
def test_the_same_key_and_order_is_one_search_and_another_order_is_refused(served: Served) -> None:
    key = {"Idempotency-Key": "monday"}
    first = ask(served, "POST", "/v1/searches", body=SPEC, **key)
    again = ask(served, "POST", "/v1/searches", body=dict(reversed(SPEC.items())), **key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert ask(served, "POST", "/v1/searches", body={**SPEC, "seed": 1}, **key).status_code == 409
    assert ask(served, "POST", "/v1/dry-runs", body=SPEC, **key).status_code == 409
    assert len(ask(served, "GET", "/v1/searches").json()["items"]) == 1


@pytest.mark.usefixtures("warm")
def test_a_spec_is_checked_without_being_submitted_and_every_fault_is_told(served: Served) -> None:
    good = ask(served, "POST", "/v1/searches?check=true", body=SPEC)
    assert good.status_code == 200
    assert good.json()["architectures_in_space"] == 4
    bad = ask(served, "POST", "/v1/searches?check=true", body={**SPEC, "budget": {"trials": 0}, "spcae": {}})
    told = {fault["pointer"]: fault["nearest"] for fault in bad.json()["errors"]}
    assert told == {"/budget/trials": "1", "/spcae": "space"}
    assert ask(served, "GET", "/v1/searches").json()["items"] == []


@pytest.mark.usefixtures("warm")
def test_a_project_reserves_no_more_trials_than_its_quota(served: Served) -> None:
    ask(served, "PATCH", "/v1/projects/red", "admin", {"trials": 6})
    first = ask(served, "POST", "/v1/searches", body=SPEC).json()["search"]
    refused = ask(served, "POST", "/v1/searches", body=SPEC)
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")
    assert "4 trials reserved" in refused.json()["detail"]
    # The trash does not count; taking it back does.
    ask(served, "PATCH", f"/v1/searches/{first}", body={"intent": "cancel"})
    ask(served, "DELETE", f"/v1/searches/{first}")
    assert ask(served, "POST", "/v1/searches", body=SPEC).status_code == 201
    assert ask(served, "POST", f"/v1/searches/{first}/restore").json()["code"] == "quota_exceeded"


@pytest.mark.usefixtures("warm")
def test_a_clone_has_the_changes_and_the_best_architectures_of_its_original(served: Served) -> None:
    original = ask(served, "POST", "/v1/searches", body=SPEC).json()["search"]
    with served.installation.database.unit_of_work() as uow:
        search = uow.searches.get(original)
        shape = search.space.decode((1, 0))
        trial = _a_finished_trial(original, shape)
        uow.trials.add(trial)
        uow.events.append(original, "trial", '{"facts": {}}', 1.0)
        uow.commit()
    changes = {"changes": {"name": "again", "budget": {"trials": 3}, "latency": None}, "warm_start": True}
    clone = ask(served, "POST", f"/v1/searches/{original}/clone", body=changes)
    assert clone.status_code == 201
    assert (clone.json()["parent"], clone.json()["budget"], clone.json()["name"]) == (original, 3, "again")
    with served.installation.database.reader() as uow:
        assert uow.searches.get(clone.json()["search"]).seeds == (shape,)


@pytest.mark.usefixtures("warm")
def test_a_dry_run_has_one_architecture_and_tells_what_the_search_would_take(served: Served) -> None:
    made = ask(served, "POST", "/v1/dry-runs", body={**SPEC, "parallelism": 2}).json()
    assert (made["kind"], made["architectures_in_space"], made["estimate"]) == ("dry_run", 1, None)
    with served.installation.database.unit_of_work() as uow:
        search = uow.searches.get(made["search"])
        uow.trials.add(_a_finished_trial(search.id, search.space.decode((0, 0))))
        uow.searches.replace(SearchStatus.CREATED, search.evolve(status=SearchStatus.COMPLETED))
        uow.events.append(search.id, "search", '{"facts": {}}', 1.0)
        uow.commit()
    estimate = ask(served, "GET", f"/v1/searches/{made['search']}").json()["estimate"]
    assert estimate["slots"] == 2
    assert estimate["seconds_trials"] == pytest.approx(4 * 2.0 / 2)
    assert estimate["seconds_total"] == estimate["seconds_library"] + estimate["seconds_trials"]


def test_intent_is_told_at_once_and_stands_in_log_and_audit(served: Served) -> None:
    stored(served, "red-1")
    answer = ask(served, "PATCH", "/v1/searches/red-1", body={"intent": "pause"})
    assert (answer.json()["intent"], answer.json()["status"]) == ("pause", "running")
    events = ask(served, "GET", "/v1/searches/red-1/events?limit=500").json()["items"]
    assert (events[-1]["kind"], events[-1]["facts"]["intent"]) == ("intent", "pause")
    assert ask(served, "GET", "/v1/audit", "red/admin").json()["items"][0]["action"] == "pause search"


def test_what_has_ended_or_is_being_cancelled_takes_no_new_intent(served: Served) -> None:
    stored(served, "red-1", SearchStatus.COMPLETED)
    stored(served, "red-2")
    assert ask(served, "PATCH", "/v1/searches/red-1", body={"intent": "run"}).status_code == 409
    ask(served, "PATCH", "/v1/searches/red-2", body={"intent": "cancel"})
    assert ask(served, "PATCH", "/v1/searches/red-2", body={"intent": "run"}).status_code == 409


def test_a_running_search_is_not_thrown_away_and_a_deleted_one_comes_back(served: Served) -> None:
    stored(served, "red-1")
    stored(served, "red-2", SearchStatus.COMPLETED)
    assert ask(served, "DELETE", "/v1/searches/red-1").status_code == 409
    assert ask(served, "DELETE", "/v1/searches/red-2").status_code == 204
    assert [one["search"] for one in ask(served, "GET", "/v1/searches").json()["items"]] == ["red-1"]
    trash = ask(served, "GET", "/v1/searches?trash=true").json()["items"]
    assert [one["search"] for one in trash] == ["red-2"]
    assert trash[0]["deleted_at"] > 0
    assert ask(served, "POST", "/v1/searches/red-2/restore").json()["deleted_at"] is None
    assert len(ask(served, "GET", "/v1/searches").json()["items"]) == 2


def test_a_list_is_filtered_and_paged_without_repeats(served: Served) -> None:
    for number in range(7):
        stored(served, f"red-{number}", created_at=1_795_000_000.0 + number // 2)
    seen: list[str] = []
    query = "/v1/searches?limit=3"
    while query:
        page = ask(served, "GET", query).json()
        seen += [one["search"] for one in page["items"]]
        query = f"/v1/searches?limit=3&cursor={page['next']}".replace("+", "%2B") if page["next"] else ""
    assert sorted(seen) == [f"red-{number}" for number in range(7)]
    assert [one["search"] for one in ask(served, "GET", "/v1/searches?name=RED-3").json()["items"]] == ["red-3"]
    assert ask(served, "GET", "/v1/searches?status=paused&status=failed").json()["items"] == []
    assert ask(served, "GET", "/v1/searches").json()["items"][0]["counts"] == {"completed": 11, "running": 1}


def test_moved_bounds_judge_every_trial_at_once_and_the_old_version_can_be_looked_at(served: Served) -> None:
    stored(served, "red-1", at_most=0.9)
    before = ask(served, "GET", "/v1/searches/red-1/front").json()
    move = {"constraints": [{"metric": "noise_mse_relative", "at_most": 0.02}], "base_version": 0}
    made = ask(served, "POST", "/v1/searches/red-1/bounds", body=move)
    assert (made.status_code, made.json()["version"]) == (201, 1)
    now = ask(served, "GET", "/v1/searches/red-1").json()
    assert (now["bounds"], now["bounds_version"]) == ({"noise_mse_relative": 0.02}, 1)
    assert now["best"]["trial"] == 0  # only the teacher is left within the bounds
    assert ask(served, "GET", "/v1/searches/red-1/front?bounds_version=0").json() == before
    history = ask(served, "GET", "/v1/searches/red-1/bounds").json()["items"]
    assert [version["version"] for version in history] == [0, 1]
    assert ask(served, "POST", "/v1/searches/red-1/bounds", body=move).status_code == 409  # stale base
    assert ask(served, "GET", "/v1/searches/red-1/front?bounds_version=2").status_code == 404


def test_a_bound_that_nothing_can_meet_is_refused_with_the_tightest_value(served: Served) -> None:
    stored(served, "red-1")
    move = {"constraints": [{"metric": "params", "at_most": 5}, {"metric": "noise_mse_relative", "at_most": 1}]}
    answer = ask(served, "POST", "/v1/searches/red-1/bounds", body=move)
    assert answer.status_code == 422
    fault = answer.json()["errors"][0]
    assert fault["pointer"] == "/constraints/0/at_most"
    assert float(fault["nearest"]) == 100 + 7 * 250  # the floor, and the least of every stage


def test_each_epsilon_of_a_grid_has_its_answer_and_a_grid_that_is_not_mentioned_stays(served: Served) -> None:
    stored(served, "red-1", at_most=0.9)
    bound = {"metric": "noise_mse_relative", "at_most": 0.9, "grid": [0.02, 1e-9]}
    made = ask(served, "POST", "/v1/searches/red-1/bounds", body={"constraints": [bound]})
    assert made.json()["constraints"][0]["grid"] == [1e-9, 0.02]
    answers = ask(served, "GET", "/v1/searches/red-1/front").json()["grid"]
    assert [answer["bounds"]["noise_mse_relative"] for answer in answers] == [1e-9, 0.02, 0.9]
    assert [answer["trial"] for answer in answers[:2]] == [None, 0]  # only the teacher is that good
    assert answers[1]["value"] > answers[2]["value"]
    tighter = {"constraints": [{"metric": "noise_mse_relative", "at_most": 0.02}]}
    assert ask(served, "POST", "/v1/searches/red-1/bounds", body=tighter).json()["constraints"][0]["grid"] == [1e-9]
    wrong = ask(served, "POST", "/v1/searches/red-1/bounds", body={"constraints": [{**bound, "at_most": 0.01}]})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/constraints/0/grid")


def test_a_bound_on_what_is_not_measured_is_refused(served: Served) -> None:
    stored(served, "red-1")
    move = {"constraints": [{"metric": "table_latency_ms", "at_most": 5}, {"metric": "noise_mse", "at_most": 1}]}
    answer = ask(served, "POST", "/v1/searches/red-1/bounds", body=move)
    assert "needs a device" in answer.json()["errors"][0]["reason"]


def test_an_export_is_ordered_once_and_waits_for_a_coordinator(served: Served) -> None:
    stored(served, "red-1", SearchStatus.COMPLETED)
    first = ask(served, "POST", "/v1/searches/red-1/exports", body={})
    again = ask(served, "POST", "/v1/searches/red-1/exports", body={"trial": first.json()["trial"]})
    assert first.status_code == 202
    assert first.json()["status"] == "waiting"
    assert again.json() == first.json()
    assert ask(served, "GET", f"/v1/exports/{first.json()['export']}/content").status_code == 409
    assert ask(served, "POST", "/v1/searches/red-1/exports", body={"trial": 99}).status_code == 404


def test_a_finished_export_is_fetched_whole_or_in_parts(served: Served) -> None:
    stored(served, "red-1", SearchStatus.COMPLETED)
    export_id = ask(served, "POST", "/v1/searches/red-1/exports", body={}).json()["export"]
    digest = served.installation.workspace.artifacts.put(b"0123456789")
    with served.installation.database.unit_of_work() as uow:
        waiting = uow.exports.get(export_id)
        uow.exports.replace("waiting", waiting.evolve(status="done", artifact=digest, size_bytes=10))
        uow.commit()
    path = f"/v1/exports/{export_id}/content"
    assert ask(served, "GET", path).content == b"0123456789"
    part = ask(served, "GET", path, Range="bytes=3-5")
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, b"345", "bytes 3-5/10")
    assert ask(served, "GET", path, Range="bytes=-2").content == b"89"
    assert ask(served, "GET", f"/v1/artifacts/{digest}").content == b"0123456789"


def _a_finished_trial(search_id: str, shape: Any) -> Any:
    from nas.domain.trial import Trial

    return Trial(
        search=search_id,
        number=0,
        architecture=shape,
        status=TrialStatus.COMPLETED,
        attempts=(Attempt(started_at=1.0, ended_at=3.0),),
        evaluation=an_evaluation(shape),
    )
