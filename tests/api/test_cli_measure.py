"""`blocksmith device measure` and `blocksmith cost` on files, trials and architectures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.cli import main
from nas.domain.lifecycle import SearchStatus
from nas.estimation.devices.canary import canary
from tests.api.filled import a_search, architectures, fill
from tests.api.serving import serve

QUICKLY = ("--repeats", "3", "--seconds", "0")


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert (ended.value.code or 0) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, _ = canary().onnx(tmp_path_factory.mktemp("model"))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    served = serve(tmp_path_factory.mktemp("measure"))
    with served.http:
        fill(served.installation.database, a_search("alpha-1"), 6, status=SearchStatus.COMPLETED)
    return str(served.installation.settings.data)


def test_a_file_is_measured_on_several_devices_and_one_that_cannot_does_not_stop_the_others(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(capsys, "device", "measure", str(model), "--device", "host", "--device", "torch", *QUICKLY, "--json")
    host, torch = json.loads(said)
    assert host["device"] == "host"
    assert host["fingerprint"]["kind"] == "measured"
    assert host["relative"][0] == pytest.approx(1.0, rel=0.9)  # it is the canary itself
    assert "ONNX file" in torch["error"]


def test_where_the_time_goes_is_told_operator_by_operator(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "device", "measure", str(model), "--profile", *QUICKLY)
    assert "Conv" in said
    assert "slowest of" in said


def test_when_no_device_can_the_command_fails_and_says_why(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "device", "measure", str(model), "--device", "torch", *QUICKLY, code=1)
    assert "ONNX file" in said


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nothing.onnx",), "There is no file nothing.onnx"),
        (("nothing.onnx", "--device", "hots"), "Did you mean 'host'"),
        (("nothing.onnx", "--shape", "sample=a,b"), "must read NAME=SIZE,SIZE"),
    ],
)
def test_bad_input_gets_a_sentence(
    arguments: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["device", "measure", *arguments])
    assert ended.value.code not in (0, None)
    captured = capsys.readouterr()
    assert reason in captured.err
    assert "Traceback" not in captured.err


def test_a_trial_is_measured_whole_and_told_by_stage(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = run(
        capsys, "device", "measure", "0", "--search", "alpha-1", "--data", data, "--profile", *QUICKLY, "--json"
    )
    (host,) = json.loads(said)
    assert {"E1", "Mid", "D1", "stem and head"} <= set(host["stages"])
    assert sum(host["stages"].values()) == pytest.approx(sum(layer["ms"] for layer in host["layers"]))
    assert host["stages"]["D1"] > 0


def costs(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(run(capsys, "cost", *arguments, "--json"))


def test_a_trial_costs_what_its_variants_cost(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    number, chosen = next(
        (number, one)
        for number, one in enumerate(architectures(6))
        if "narrow" not in one.choices.values() and one.variant("Mid") != "R"
    )
    variants = [f"--variant={stage}={variant}" for stage, variant in chosen.choices.items()]
    by_hand = costs(capsys, "--latent", "16", *variants)
    of_trial = costs(capsys, "--latent", "16", "--search", "alpha-1", "--trial", str(number), "--data", data)
    assert of_trial["params"] == by_hand["params"]
    assert {"activation_peak_bytes", "weight_bytes", "gmacs_without_attention_products"} <= set(of_trial)


def test_a_variant_must_say_where_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["cost", "--variant", "RA", "--variant", "E1=RAX"])
    assert "must read STAGE=VARIANT" in capsys.readouterr().err
