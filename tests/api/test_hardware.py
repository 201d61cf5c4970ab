"""What a search tells of hardware, over REST and on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.cli import main
from nas.domain.architecture import Architecture
from nas.domain.search import LatencySpec, Search
from nas.engine.jobs import block_latency_job, network_latency_job
from nas.estimation.hardware_report import hardware_report
from storage.unit_of_work import Database
from tests.api.filled import STAGES, VARIANTS, a_search, architectures, fill
from tests.api.serving import Served, serve
from tests.fakes.executor import latency

TRIALS = 40
TWO = (LatencySpec(device="host"), LatencySpec(device="phone"))
MEASURED = range(5)


def block_ms(stage: str, variant: str, device: str) -> float:
    """The host minds the outer stages, the phone all of them alike."""
    weight = 4.0 / (1 + min(STAGES.index(stage), len(STAGES) - 1 - STAGES.index(stage))) if device == "host" else 1.0
    return weight / (1 + VARIANTS.index(variant))


def network_ms(architecture: Architecture, device: str) -> float:
    return 0.9 * (0.5 + sum(block_ms(stage, architecture.variant(stage), device) for stage in STAGES))


def time_everything(database: Database, search: Search) -> None:
    with database.unit_of_work() as uow:
        for spec in TWO:
            floor = block_latency_job(search.spec, spec, "", "teacher")
            uow.library.add_latency(floor.key, latency(0.5, spec.protocol).evolve(device=named(spec.device)))
            for stage in STAGES:
                for variant in VARIANTS:
                    job = block_latency_job(search.spec, spec, stage, variant)
                    one = latency(block_ms(stage, variant, spec.device), spec.protocol)
                    uow.library.add_latency(job.key, one.evolve(device=named(spec.device)))
            for number, architecture in enumerate(architectures(TRIALS)):
                if number in MEASURED:
                    job = network_latency_job(search.spec, spec, architecture)
                    one = latency(network_ms(architecture, spec.device), spec.protocol)
                    uow.library.add_latency(job.key, one.evolve(device=named(spec.device)))
        uow.commit()


def named(device: str) -> Any:
    return latency(1.0, TWO[0].protocol).device.evolve(name=device)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = serve(tmp_path_factory.mktemp("hardware"))
    database = served.installation.database
    plain = a_search("red-1", project="red")
    timed = fill(database, plain.evolve(spec=plain.spec.evolve(latency=TWO)), TRIALS)
    time_everything(database, timed)
    fill(database, a_search("red-2", project="red", seed=3), 6)
    with database.unit_of_work() as uow:  # nothing distilled yet
        uow.searches.add(a_search("red-3", project="red", seed=9))
        uow.commit()
    with served.http:
        yield served


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code in (0, None)


def ask(served: Served, path: str) -> Any:
    answer = served.http.get(f"/v1/searches/{path}", headers=served.bearer("red/reader"))
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_report_tells_of_both_devices(served: Served) -> None:
    report = ask(served, "red-1/hardware")
    assert report["complete"]
    assert [one["device"] for one in report["devices"]] == ["host", "phone"]
    assert {one["networks"] for one in report["devices"]} == {len(MEASURED)}
    told = {(one["first"], one["second"], one["over"]): one["kendall_tau"] for one in report["agreement"]}
    # Every block of the phone costs in proportion to its params; the host weighs the outer stages.
    assert told["params", "table_latency_ms_phone", "space"] > 0.95
    assert told["params", "table_latency_ms", "space"] < 0.8
    for one in report["additivity"]:
        assert one["bias"] == pytest.approx(-0.1)
        assert one["corrected_error"] == pytest.approx(0.0, abs=1e-6)
    assert any(one["device"] == "host" and "slower on host" in one["words"] for one in report["counter_examples"])


def test_trials_and_front_carry_the_latencies_of_both_devices(served: Served) -> None:
    trial = ask(served, "red-1/trials/0")
    first = architectures(TRIALS)[0]
    assert trial["metrics"]["latency_ms"]["mean"] == pytest.approx(network_ms(first, "host"))
    assert trial["metrics"]["latency_ms_phone"]["mean"] == pytest.approx(network_ms(first, "phone"))
    library = ask(served, "red-1/library")
    entry = next(one for one in library["entries"] if (one["stage"], one["variant"]) == ("E1", "R"))
    assert entry["table_latencies"] == {
        "table_latency_ms": pytest.approx(block_ms("E1", "R", "host")),
        "table_latency_ms_phone": pytest.approx(block_ms("E1", "R", "phone")),
    }


def test_without_a_device_costs_are_still_compared_and_without_a_library_nothing(served: Served) -> None:
    report = ask(served, "red-2/hardware")
    assert report["complete"]
    assert (report["devices"], report["additivity"]) == ([], [])
    assert {(one["first"], one["second"]) for one in report["agreement"]} == {("params", "gmacs")}
    assert ask(served, "red-3/hardware") == {**ask(served, "red-3/hardware"), "complete": False, "stages": []}


def test_the_report_is_made_once_for_every_event(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counted(*given: Any) -> Any:
        made.append("report")
        return hardware_report(*given)

    monkeypatch.setattr("api.service.hardware.hardware_report", counted)
    first = ask(served, "red-2/hardware")
    before = len(made)
    assert ask(served, "red-2/hardware") == first
    assert len(made) == before
    move = {"constraints": [{"metric": "noise_mse_relative", "at_most": 0.4}]}
    key = served.bearer("red/submitter")
    assert served.http.post("/v1/searches/red-2/bounds", json=move, headers=key).status_code == 201
    assert ask(served, "red-2/hardware") == first
    assert len(made) == before + 1


def test_a_latency_that_no_trial_has_cannot_be_bounded_later(served: Served) -> None:
    fidelity = {"metric": "noise_mse_relative", "at_most": 0.5}
    move = {"constraints": [fidelity, {"metric": "latency_ms_phone", "at_most": 5}]}
    key = served.bearer("red/submitter")
    refused = served.http.post("/v1/searches/red-1/bounds", json=move, headers=key)
    (fault,) = refused.json()["errors"]
    assert (refused.status_code, fault["pointer"]) == (422, "/constraints/1/metric")
    assert fault["nearest"] == "table_latency_ms_phone"
    asked = served.http.get("/v1/searches/red-1/recommendation?bound=latency_ms:3", headers=key)
    assert asked.status_code == 422
    assert "was not measured" in asked.text
    table = {"constraints": [fidelity, {"metric": "table_latency_ms_phone", "at_most": 5}]}
    assert served.http.post("/v1/searches/red-1/bounds", json=table, headers=key).status_code == 201


def test_the_command_tells_and_draws_it(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, picture = str(served.installation.settings.data), tmp_path / "hardware.png"
    monkeypatch.delenv("BLOCKSMITH_URL", raising=False)
    run("hardware", "red-1", "--data", data, "--plot", str(picture))
    said = capsys.readouterr().out
    assert "Agreement in order" in said
    assert "slower on host" in said
    assert picture.stat().st_size > 10_000
    run("hardware", "red-1", "--data", data, "--json")
    assert json.loads(capsys.readouterr().out)["search"] == "red-1"
