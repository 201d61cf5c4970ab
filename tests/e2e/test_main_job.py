"""The main job from a user's side: run, look, export, judge again; on a tiny teacher with random weights."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from api.installation import Installation
from api.settings import Settings
from tests.builders.tiny_unet import make_teacher
from tests.waiting import until

SPEC = """
name: tiny
teacher: {source: TEACHER, random_weights: true}
calibration: {source: gaussian, samples: 16, holdout: 8, latent_size: 8, bands: 4}
distillation: {steps: 4, batch: 8}
space:
  E1: [teacher, RA, R]
  E2: [teacher, R, removed]
  Mid: [teacher, removed]
  D1: [teacher, RA, R]
constraints: [{metric: noise_mse_relative, at_most: 0.9}]
latency: {device: host, protocol: {repeats: 3, seconds: 0, warmup: 1}}
budget: {trials: 12}
strategy: {initial_trials: 6}
"""


def environment(cwd: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(cwd), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def blocksmith(*arguments: str, cwd: Path, expect: int = 0) -> str:
    finished = subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=environment(cwd),
        timeout=240,
    )
    assert finished.returncode == expect, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr + finished.stdout
    return finished.stdout


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("main-job")
    make_teacher(folder / "teacher")
    (folder / "spec.yaml").write_text(SPEC.replace("TEACHER", "./teacher"))
    blocksmith("run", "spec.yaml", "--output", "out", "--json", cwd=folder)
    return folder


@pytest.mark.slow
def test_a_search_spends_its_budget_exactly_and_writes_its_front(finished: Path) -> None:
    front = json.loads((finished / "out" / "front.json").read_text())
    assert set(front) >= {"search", "seed", "bounds", "trials", "architectures_in_space", "points"}
    assert front["trials"] == 12
    assert front["architectures_in_space"] == 3 * 3 * 2 * 3
    for point in front["points"]:
        assert set(point) == {"trial", "architecture", "metrics", "feasible"}
        assert {"params", "gmacs", "noise_mse", "table_latency_ms", "latency_ms"} <= set(point["metrics"])
        assert list(point["architecture"]) == ["E1", "E2", "Mid", "D1"]
    assert (finished / "out" / "front.png").stat().st_size > 5000
    assert json.loads(blocksmith("front", "--json", cwd=finished)) == front


@pytest.mark.slow
def test_no_architecture_is_tried_twice_and_costs_fall_along_the_front(finished: Path) -> None:
    trials = json.loads(blocksmith("trials", "--json", cwd=finished))
    architectures = [json.dumps(trial["architecture"], sort_keys=True) for trial in trials]
    assert len(set(architectures)) == len(architectures) == 12
    assert trials[0]["metrics"]["noise_mse"]["mean"] == 0.0
    points = json.loads(blocksmith("front", "--json", cwd=finished))["points"]
    errors = [point["metrics"]["noise_mse_relative"]["mean"] for point in points]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.slow
def test_the_winner_loads_in_a_new_process_and_keeps_its_fidelity(finished: Path) -> None:
    judged = json.loads(blocksmith("evaluate", "out/winner", "--json", cwd=finished))
    for values in judged["metrics"].values():
        assert values["now"] == pytest.approx(values["recorded"], rel=1e-5, abs=1e-9)
    report = json.loads((finished / "out" / "winner" / "report.json").read_text())
    assert report["onnx"]["largest_relative_difference_to_torch"] < 1e-3
    assert report["metrics"]["params"]["mean"] <= report["params_of_teacher"]


@pytest.mark.slow
def test_the_winner_is_a_diffusers_model_without_the_teachers_weights(finished: Path) -> None:
    from nas.adaptation.export import load_exported

    model = load_exported(finished / "out" / "winner")
    report = json.loads((finished / "out" / "winner" / "report.json").read_text())
    assert sum(parameter.numel() for parameter in model.parameters()) == report["metrics"]["params"]["mean"]
    assert model.config.sample_size == 8


@pytest.mark.slow
def test_any_trial_can_be_exported_and_nothing_foreign_is_overwritten(finished: Path) -> None:
    blocksmith("export", "--trial", "0", "--output", "teacher-again", "--json", cwd=finished)
    (finished / "precious").mkdir(exist_ok=True)
    (finished / "precious" / "letter.txt").write_text("do not lose me")
    blocksmith("export", "--output", "precious", cwd=finished, expect=1)
    assert (finished / "precious" / "letter.txt").read_text() == "do not lose me"
    blocksmith("export", "--trial", "99", cwd=finished, expect=2)


@pytest.mark.slow
def test_a_second_search_reuses_the_library(finished: Path) -> None:
    (finished / "short.yaml").write_text((finished / "spec.yaml").read_text().replace("trials: 12", "trials: 5"))
    document = json.loads(blocksmith("run", "short.yaml", "--json", cwd=finished))
    assert (document["status"], document["trials"]) == ("completed", 5)
    assert document["ran_s"] < 60
    assert len(json.loads(blocksmith("searches", "--json", cwd=finished))) == 2


@pytest.mark.slow
def test_ctrl_c_pauses_and_resume_spends_the_rest_of_the_budget(finished: Path) -> None:
    spec = SPEC.replace("TEACHER", "./teacher").replace("trials: 12", "trials: 24")
    (finished / "long.yaml").write_text(spec.replace("name: tiny", "name: long"))
    command = [sys.executable, "-m", "api.cli", "run", "long.yaml", "--json"]
    driver = subprocess.Popen(command, cwd=finished, env=environment(finished), stdout=subprocess.PIPE, text=True)
    _wait_for_trials(finished, 3)
    driver.send_signal(signal.SIGINT)
    paused = json.loads(driver.communicate(timeout=120)[0])
    assert driver.returncode == 0
    assert paused["status"] == "paused"
    assert 3 <= paused["trials"] < 24
    resumed = json.loads(blocksmith("resume", paused["search"], "--json", cwd=finished))
    assert resumed["status"] == "completed"
    assert resumed["trials"] == 24


def _wait_for_trials(folder: Path, count: int) -> None:
    """Look into the database: the command takes a second of the search's cores, in which that may end."""
    database = Installation(settings=Settings(data=folder / ".blocksmith")).database

    def has_enough() -> bool:
        with database.reader() as uow:
            under_way = list(uow.searches.open(time.time()))
            return any(len(uow.trials.page(search.id, -1, count)) >= count for search in under_way)

    until(has_enough, 120)
