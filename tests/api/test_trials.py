"""Trials over REST: pages, filters, details, columns that tell only what changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nas.domain.lifecycle import TrialStatus
from tests.api.filled import STAGES, VARIANTS, a_search, an_evaluation, fill
from tests.api.serving import Served, serve

TRIALS = 25  # the last one runs, and had a failed attempt before


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = serve(tmp_path / "data")
    fill(served.installation.database, a_search("red-1", project="red"), TRIALS)
    with served.http:
        yield served


def get(served: Served, path: str) -> Any:
    return served.http.get(f"/v1/searches/red-1{path}", headers=served.bearer("red/reader")).json()


def finish(served: Served, number: int, share: float = 1.0) -> None:
    """Complete the running trial, as its coordinator would; of a share of the samples if it was stopped early."""
    with served.installation.database.unit_of_work() as uow:
        trial = uow.trials.get("red-1", number)
        evaluation = an_evaluation(trial.architecture).evolve(share=share)
        done = trial.become(TrialStatus.COMPLETED, evaluation=evaluation)
        uow.trials.replace(TrialStatus.RUNNING, done)
        uow.trials.add_log("red-1", number, len(trial.attempts), "epoch 1\nepoch 2")
        uow.events.append("red-1", "trial", json.dumps({"facts": {"number": number}}), 2.0)
        uow.commit()


def test_columns_are_loaded_in_pages_and_then_only_what_changed(served: Served) -> None:
    first = get(served, "/points?limit=20")
    second = get(served, f"/points?limit=20&after={first['next']}")
    assert first["number"] + second["number"] == list(range(TRIALS))
    assert second["next"] is None
    assert get(served, f"/points?after_event={first['last_event']}")["number"] == []
    finish(served, TRIALS - 1)
    changed = get(served, f"/points?after_event={first['last_event']}")
    assert (changed["number"], changed["status"]) == ([TRIALS - 1], ["completed"])
    assert changed["last_event"] == first["last_event"] + 1


def test_ten_thousand_trials_fit_into_one_answer(served: Served) -> None:
    assert get(served, "/points?limit=10000")["next"] is None
    refused = served.http.get("/v1/searches/red-1/points?limit=10001", headers=served.bearer("red/reader"))
    assert refused.status_code == 422


def test_columns_say_the_same_as_documents(served: Served) -> None:
    columns = get(served, "/points")
    documents = get(served, "/trials?limit=500")["items"]
    assert columns["stages"] == list(STAGES)
    assert columns["variants"] == {stage: list(VARIANTS) for stage in STAGES}
    for row, document in enumerate(documents):
        named = {stage: VARIANTS[code] for stage, code in zip(STAGES, columns["codes"][row], strict=True)}
        assert named == document["architecture"]
        assert columns["origin"][row] == document["origin"]
        for name, column in columns["metrics"].items():
            measured = document["metrics"].get(name)
            assert column["mean"][row] == (measured and measured["mean"])
            assert column["sem"][row] == (measured and measured["sem"])


def test_filters_and_pages_agree(served: Served) -> None:
    everything = get(served, "/trials?limit=500")["items"]
    feasible = get(served, "/trials?feasible=true&status=completed&limit=500")["items"]
    assert feasible == [trial for trial in everything if trial["feasible"]]
    page = get(served, "/trials?feasible=true&limit=2")
    following = get(served, f"/trials?feasible=true&limit=2&after={page['next']}")
    assert page["items"] + following["items"] == feasible[:4]
    assert get(served, "/trials?origin=nobody")["items"] == []
    assert [trial["trial"] for trial in get(served, "/trials?status=running")["items"]] == [TRIALS - 1]


def test_a_screened_trial_and_a_violation_are_told(served: Served) -> None:
    screened = get(served, "/trials/9")
    assert screened["screened"] is True
    assert screened["feasible"] is False
    worst = max(
        get(served, "/trials?limit=500")["items"], key=lambda one: one["violations"].get("noise_mse_relative", 0)
    )
    error = worst["metrics"]["noise_mse_relative"]["mean"]
    assert worst["violations"] == {"noise_mse_relative": pytest.approx(error - 0.5)}


def test_what_was_stopped_early_says_so_everywhere_and_takes_part_in_nothing(served: Served) -> None:
    number = TRIALS - 1
    finish(served, number, share=0.125)
    without_bounds = {"constraints": []}
    served.http.post("/v1/searches/red-1/bounds", json=without_bounds, headers=served.bearer("red/submitter"))
    trial = get(served, f"/trials/{number}")
    assert (trial["status"], trial["share"], trial["feasible"]) == ("completed", 0.125, False)
    assert trial["metrics"]["noise_mse_relative"]["mean"] > 0
    listed = {one["trial"]: one["share"] for one in get(served, "/trials?limit=500")["items"]}
    assert {one for one, share in listed.items() if share < 1} == {number}
    columns = get(served, "/points")
    assert columns["share"] == [1.0] * number + [0.125]
    assert number not in {one["trial"] for one in get(served, "/trials?feasible=true&limit=500")["items"]}
    assert number in {one["trial"] for one in get(served, "/trials?feasible=false&limit=500")["items"]}
    front = get(served, "/front")
    assert front["stopped_early"] == 1
    assert number not in {point["trial"] for point in front["points"]}
    assert front["best"]["trial"] != number


def test_a_search_in_which_everything_was_stopped_early_has_no_best_trial_and_nothing_to_export(
    served: Served,
) -> None:
    fill(served.installation.database, a_search("red-9", project="red"), 1)
    with served.installation.database.unit_of_work() as uow:
        trial = uow.trials.get("red-9", 0)
        evaluation = an_evaluation(trial.architecture).evolve(share=0.5)
        uow.trials.replace(TrialStatus.RUNNING, trial.become(TrialStatus.COMPLETED, evaluation=evaluation))
        uow.events.append("red-9", "trial", json.dumps({"facts": {"number": 0}}), 2.0)
        uow.commit()
    front = served.http.get("/v1/searches/red-9/front", headers=served.bearer("red/reader")).json()
    assert (front["best"], front["points"], front["stopped_early"]) == (None, [], 1)
    ordered = served.http.post("/v1/searches/red-9/exports", json={}, headers=served.bearer("red/submitter"))
    assert ordered.status_code == 409


def test_a_trial_is_told_with_its_attempts_their_log_and_the_teacher_beside_it(served: Served) -> None:
    finish(served, TRIALS - 1)
    detail = get(served, f"/trials/{TRIALS - 1}")
    assert [attempt["log"] for attempt in detail["attempts"]] == ["", "epoch 1\nepoch 2"]
    assert detail["attempts"][0]["failure"]["code"] == "transient_error"
    stage = detail["stages"][0]
    assert stage["teacher_params"] == 1000
    assert stage["params"] == 1000 // (1 + VARIANTS.index(detail["architecture"]["E1"]))


def test_the_front_names_the_nearest_miss_while_nothing_is_feasible(served: Served) -> None:
    move = {"constraints": [{"metric": "noise_mse_relative", "at_most": 0.001}]}
    served.http.post("/v1/searches/red-1/bounds", json=move, headers=served.bearer("red/submitter"))
    front = get(served, "/front")
    assert front["nearest_miss"]["trial"] == 0
    assert front["nearest_miss"]["violated_by"] == {"noise_mse_relative": pytest.approx(0.01 - 0.001)}
    assert get(served, "/front?bounds_version=0")["nearest_miss"] is None
    assert not any(point["feasible"] for point in front["points"])


def test_hypervolume_has_one_reference_at_every_version(served: Served) -> None:
    before = get(served, "/hypervolume")
    move = {"constraints": [{"metric": "noise_mse_relative", "at_most": 0.1}]}
    served.http.post("/v1/searches/red-1/bounds", json=move, headers=served.bearer("red/submitter"))
    after = get(served, "/hypervolume")
    assert before == after
    assert before["reference"] == [pytest.approx(1.1 * 7100), 1.0]


def test_a_library_says_which_blocks_the_best_has(served: Served) -> None:
    library = get(served, "/library")
    best = get(served, "")["best"]["architecture"]
    used = {entry["stage"]: entry["variant"] for entry in library["entries"] if entry["used_by_best"]}
    assert used == best
    assert (library["done"], library["total"]) == (28, 28)


def test_a_search_without_trials_has_an_empty_everything(served: Served) -> None:
    with served.installation.database.unit_of_work() as uow:
        uow.searches.add(a_search("red-2", project="red", seed=5))
        uow.commit()
    headers = served.bearer("red/reader")
    for path, key in (("/trials", "items"), ("/points", "number"), ("/front", "points"), ("/hypervolume", "points")):
        assert served.http.get(f"/v1/searches/red-2{path}", headers=headers).json()[key] == []
    assert served.http.get("/v1/searches/red-2", headers=headers).json()["best"] is None
    assert served.http.get("/v1/searches/red-2/library", headers=headers).json()["done"] == 0


def test_old_columns_make_room_for_new_ones(served: Served) -> None:
    service = served.http.app.state.service
    for number in range(70):
        with served.installation.database.unit_of_work() as uow:
            uow.searches.add(a_search(f"many-{number}", project="red"))
            uow.commit()
        served.http.get(f"/v1/searches/many-{number}/points", headers=served.bearer("red/reader"))
    assert service.points._kept.get("many-0") is None
    assert service.points._kept.get("many-69") is not None
    assert get(served, "/points")["number"] == list(range(TRIALS))
