"""The command line: errors, exit codes, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.cli import main
from api.up.record import ServerRecord
from nas.errors import TransientError


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return int(caught.value.code or 0)


def test_a_bad_spec_names_every_fault_and_exits_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_text(
        "name: bad\nbudget: {trials: -1}\nteacher: {source: ./missing}\nspace: {E1: R}\n"
        "constraints: [{metric: noise_mze, at_most: .nan}]\n"
    )
    assert run("run", "bad.yaml", "--json") == 2
    problem = json.loads(capsys.readouterr().out)["error"]
    assert problem["code"] == "invalid_spec"
    assert {fault["pointer"] for fault in problem["errors"]} >= {
        "/budget/trials",
        "/space/E1",
        "/constraints/0/at_most",
        "/constraints/0/metric",
        "/teacher/source",
    }
    assert not Path(".blocksmith").exists(), "a refused spec leaves nothing behind"


def test_faults_are_readable_in_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_text("name: bad\nbudgt: {}\n")
    assert run("run", "bad.yaml") == 2
    shown = capsys.readouterr().err
    assert "/budgt" in shown
    assert "try: budget" in shown
    assert "Traceback" not in shown


def test_a_missing_spec_file_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "no-such-file.yaml") == 2
    assert "no-such-file.yaml" in capsys.readouterr().err


def test_an_unknown_search_names_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("front", "nothing-here", "--data", str(tmp_path), "--json") == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "not_found"


def test_no_searches_yet_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("searches", "--data", str(tmp_path)) == 0
    assert "No searches yet" in capsys.readouterr().out


def test_a_bug_shows_no_traceback_but_keeps_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from api import doctor

    def explode(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "examine", explode)
    assert run("doctor") == 1
    assert "Traceback" not in capsys.readouterr().err
    assert "ZeroDivisionError" in Path("blocksmith-error.log").read_text()


def test_a_data_folder_that_cannot_be_made_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert run("searches", "--data", str(tmp_path / "file" / "data")) == 1
    assert "Not a directory" in capsys.readouterr().err


def test_a_database_that_is_none_is_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "blocksmith.sqlite").write_bytes(b"not a database" * 100)
    assert run("searches", "--data", str(tmp_path), "--json") in {1, 2}
    assert "Internal" not in json.loads(capsys.readouterr().out)["error"]["message"]


def test_an_unreadable_setting_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BLOCKSMITH_ALLOWED_ROOTS", "/data")
    assert run("searches", "--data", str(tmp_path)) == 2
    assert "BLOCKSMITH_ALLOWED_ROOTS" in capsys.readouterr().err


@pytest.mark.slow
def test_doctor_finds_this_machine_able(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every check for real, a Ray worker included."""
    assert run("doctor", "--data", str(tmp_path), "--json") == 0
    findings = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert {"database", "torch", "reference teacher", "onnxruntime", "ray"} <= set(findings)
    assert [name for name, finding in findings.items() if finding["verdict"] == "failed"] == []
    assert "a worker answered" in findings["ray"]["detail"]


def test_doctor_finds_what_is_amiss_with_the_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers import probe

    monkeypatch.setattr(probe, "answering_worker", lambda: "a worker answered")
    (tmp_path / "local.key").write_text("bsk_")
    (tmp_path / "local.key").chmod(0o644)
    (tmp_path / "server.json").write_text(
        ServerRecord(url="http://127.0.0.1:1", pid=1, started_at=0).model_dump_json()
    )
    assert run("doctor", "--data", str(tmp_path), "--json") == 1
    findings = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["key file"]["verdict"] == "failed"
    assert "chmod 600" in findings["key file"]["remedy"]
    assert findings["server"]["verdict"] == "warning"
    assert "blocksmith up" in findings["server"]["remedy"]
    assert run("doctor", "--data", str(tmp_path), "--url", "http://127.0.0.1:1", "--json") == 1
    findings = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["server"]["verdict"] == "failed"


def test_doctor_says_what_failed_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers import probe

    def refuse() -> str:
        raise TransientError("Ray could not be started on this machine.", "Free some memory.")

    monkeypatch.setattr(probe, "answering_worker", refuse)
    assert run("doctor", "--data", str(tmp_path)) == 1
    assert "Free some memory." in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [("catalogue", "--json"), ("cost", "--latent", "16", "--tokens", "8", "--json"), ("teacher", "show", "--json")],
    ids=lambda arguments: arguments[0],
)
def test_commands_that_look_answer_in_json(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 0
    assert json.loads(capsys.readouterr().out)


def test_cost_of_the_reference_is_told_stage_by_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cost", "--latent", "16", "--tokens", "8", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert {"params", "gmacs", "gmacs_without_attention_products", "stages"} <= set(report)
    assert sum(stage["params"] for stage in report["stages"]) == report["params"] == 8_612_208
    assert sum(stage["gmacs"] for stage in report["stages"]) == pytest.approx(report["gmacs"])


def test_cost_of_a_folder_without_a_configuration_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cost", "--teacher", str(tmp_path)) == 2
    assert "config.json" in capsys.readouterr().err
