from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nas.domain.device import LatencyProtocol
from nas.errors import EvaluationError, TransientError
from nas.estimation.devices.adb import AndroidPhone
from nas.estimation.devices.adb_phone import temperature_of_service, temperature_of_zones
from nas.estimation.devices.adb_runners import LiteRtBenchmark, OnnxRuntimePerfTest, runner_of
from nas.estimation.devices.base import Subject

HERE = Path(__file__).parent
SERIAL = "R58N12ABCDE"
PROTOCOL = LatencyProtocol(warmup=3, repeats=5, seconds=0.0, timeout_s=20.0)


def recorded(name: str) -> str:
    return (HERE / "recordings" / name).read_text()


class FakePhone:
    """An `adb` on PATH and what it plays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "disk").mkdir()
        self.plays()
        program(folder / "adb", HERE / "fake_adb.py")

    def plays(self, fault: str = "", heat: tuple[float, ...] = (38.0,), **phones: str) -> None:
        facts = {"phones": phones or {SERIAL: "device"}, "fault": fault, "heat": list(heat)}
        (self.folder / "phone.json").write_text(json.dumps(facts))

    def mood(self, mood: str) -> None:
        (self.folder / "mood.txt").write_text(mood)

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()


def program(path: Path, source: Path) -> Path:
    path.write_text(f"#!{sys.executable}\n{source.read_text()}")
    path.chmod(0o755)
    return path


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePhone:
    (tmp_path / "phone").mkdir()
    (tmp_path / "tools").mkdir()
    fake = FakePhone(tmp_path / "phone")
    benchmark = program(tmp_path / "tools" / "onnxruntime_perf_test", HERE / "fake_benchmark.py")
    (tmp_path / "tools" / "libonnxruntime.so").write_bytes(b"library")
    monkeypatch.setenv("PATH", f"{fake.folder}:/usr/bin:/bin")
    monkeypatch.setenv("BLOCKSMITH_ADB_BENCHMARK", str(benchmark))
    for variable in ("ANDROID_SERIAL", "BLOCKSMITH_ADB_PROVIDER", "BLOCKSMITH_ADB_COOL_C"):
        monkeypatch.delenv(variable, raising=False)
    return fake


@pytest.fixture
def device() -> AndroidPhone:
    return AndroidPhone(pause_s=0.01)


@pytest.fixture(scope="module")
def subject() -> Subject:
    return Subject(nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU()).eval(), {"x": torch.randn(1, 3, 8, 8)})


def test_a_network_is_pushed_timed_and_removed_again(
    phone: FakePhone, device: AndroidPhone, subject: Subject
) -> None:
    measured = device.measure(subject, PROTOCOL)
    # The program warms up with one call by itself; the two others are the first of its list.
    assert measured.samples_ms == pytest.approx((4.2, 4.3, 4.4, 4.5, 4.6))
    assert measured.median_ms == pytest.approx(4.4)
    assert measured.device.labels["soc"] == "SM8650"
    assert measured.device.labels["os"] == "Android 14 (SDK 34)"
    assert measured.device.runtime.startswith("onnxruntime_perf_test sha256 ")
    assert measured.conditions["temperature_c before"] == "38.0"
    assert measured.conditions["fastest_core_khz after"] == "3302400"
    assert list((phone.folder / "disk").iterdir()) == []
    assert "-x 1 -y 1 -I" in phone.log


def test_the_serial_number_stays_here(phone: FakePhone, device: AndroidPhone, subject: Subject) -> None:
    assert SERIAL not in device.measure(subject, PROTOCOL).model_dump_json()


def test_samples_go_on_until_they_are_long_enough(phone: FakePhone, device: AndroidPhone, subject: Subject) -> None:
    measured = device.measure(subject, PROTOCOL.evolve(seconds=0.1))
    assert sum(measured.samples_ms) >= 100
    assert len(measured.samples_ms) > 5


def test_a_hot_phone_is_waited_for(phone: FakePhone, device: AndroidPhone, subject: Subject) -> None:
    phone.plays(heat=(61.0, 52.5, 44.0, 49.0))
    measured = device.measure(subject, PROTOCOL)
    assert measured.conditions["temperature_c before"] == "49.0"
    assert phone.log.count("thermalservice") == 5


def test_a_phone_that_stays_hot_is_tried_again_later(
    phone: FakePhone, device: AndroidPhone, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.plays(heat=(61.0,))
    monkeypatch.setenv("BLOCKSMITH_ADB_COOL_TIMEOUT_S", "0.1")
    with pytest.raises(TransientError, match="61 °C hot"):
        device.measure(subject, PROTOCOL)
    assert "LD_LIBRARY_PATH" not in phone.log


def test_a_phone_that_vanishes_is_worth_another_try(phone: FakePhone, device: AndroidPhone, subject: Subject) -> None:
    phone.plays(fault="vanishes")
    with pytest.raises(TransientError, match="went away"):
        device.measure(subject, PROTOCOL)


def test_a_phone_that_hangs_is_told_from_a_network_that_is_slow(
    phone: FakePhone, device: AndroidPhone, subject: Subject
) -> None:
    phone.plays(fault="hangs")
    with pytest.raises(TransientError, match="did not answer"):
        device.measure(subject, PROTOCOL.evolve(timeout_s=1.0))
    phone.plays(fault="slow")
    with pytest.raises(EvaluationError, match="longer than 1 s"):
        device.measure(subject, PROTOCOL.evolve(timeout_s=1.0))


def test_garbage_is_worth_another_try_and_a_refused_model_is_not(
    phone: FakePhone, device: AndroidPhone, subject: Subject
) -> None:
    phone.mood("garbage")
    with pytest.raises(TransientError, match="wrote no times"):
        device.measure(subject, PROTOCOL)
    phone.mood("refuses")
    with pytest.raises(EvaluationError, match="not a registered function"):
        device.measure(subject, PROTOCOL)


def test_what_runs_beside_the_accelerator_is_counted(
    phone: FakePhone, device: AndroidPhone, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLOCKSMITH_ADB_PROVIDER", "qnn")
    measured = device.measure(subject, PROTOCOL)
    assert measured.fallbacks == 1
    assert measured.device.labels["provider"] == "qnn"
    layers = device.profile(subject, PROTOCOL)
    assert [(layer.name, layer.unit, layer.ms, layer.is_fallback) for layer in layers] == [
        ("/conv/Conv", "QNN", 1.5, False),
        ("/norm/Norm", "CPU", 1.5, True),
    ]


def test_a_provider_is_a_known_word_and_never_a_piece_of_a_command(
    phone: FakePhone, device: AndroidPhone, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLOCKSMITH_ADB_PROVIDER", "cpu; reboot")
    with pytest.raises(EvaluationError, match="Known: cpu, xnnpack"):
        device.measure(subject, PROTOCOL)


@pytest.mark.parametrize(
    ("phones", "words"),
    [
        ({"A1": "device", "B2": "device"}, "name one of A1, B2 in ANDROID_SERIAL"),
        ({"A1": "unauthorized"}, "does not trust this machine"),
        ({"A1": "offline"}, "is offline"),
    ],
)
def test_a_phone_that_cannot_be_used_is_explained_and_may_be_tried_again(
    phone: FakePhone, device: AndroidPhone, subject: Subject, phones: dict[str, str], words: str
) -> None:
    phone.plays(**phones)
    assert words in device.absence()
    with pytest.raises(TransientError, match=words):
        device.measure(subject, PROTOCOL)


def test_the_one_of_two_phones_that_is_named_is_used(
    phone: FakePhone, device: AndroidPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.plays(A1="device", B2="device")
    labels = {}
    for serial in ("A1", "B2"):
        monkeypatch.setenv("ANDROID_SERIAL", serial)
        labels[serial] = device.describe(PROTOCOL).labels["phone"]
    assert labels["A1"] != labels["B2"]
    monkeypatch.setenv("ANDROID_SERIAL", "C3")
    assert "No phone C3" in device.absence()


def test_absence_says_what_is_lacking(
    phone: FakePhone, device: AndroidPhone, subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert device.absence() == ""
    (phone.folder / "phone.json").write_text(json.dumps({"phones": {}, "fault": "", "heat": [38.0]}))
    assert "No phone is attached" in device.absence()
    monkeypatch.setenv("BLOCKSMITH_ADB_BENCHMARK", str(tmp_path / "absent"))
    assert "There is no file" in device.absence()
    monkeypatch.delenv("BLOCKSMITH_ADB_BENCHMARK")
    assert "BLOCKSMITH_ADB_BENCHMARK is not set" in device.absence()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no adb on PATH" in device.absence()
    with pytest.raises(EvaluationError, match="no adb on PATH"):
        device.measure(subject, PROTOCOL)


def test_every_time_in_a_result_file_is_read_but_the_warm_ups() -> None:
    runner, printed = OnnxRuntimePerfTest(), recorded("perf_test.txt")
    timings = runner.read(printed, recorded("perf_test.csv"), LatencyProtocol(warmup=2))
    assert timings.samples_ms == pytest.approx((99.5086, 95.8204, 99.0012, 98.9997))
    with pytest.raises(TransientError, match="P999 Latency"):
        runner.read(printed, "", LatencyProtocol())


@pytest.mark.parametrize(
    ("name", "median", "p90", "interval", "words"),
    [
        ("benchmark_model.txt", 141.253, 187.533, (140.071, 195.121), "this is their median; p90 is their p95"),
        ("benchmark_model_old.txt", 33.0718, 33.239, (32.687, 33.239), "this is their avg; p90 is their maximum"),
    ],
)
def test_a_summary_is_read_as_what_it_is(
    name: str, median: float, p90: float, interval: tuple[float, float], words: str
) -> None:
    timings: Any = LiteRtBenchmark().read(recorded(name), "", PROTOCOL)
    assert timings.samples_ms == pytest.approx((median,))
    assert timings.p90_ms == pytest.approx(p90)
    assert timings.interval_ms == pytest.approx(interval)
    assert words in timings.summary["samples"]


def test_litert_waits_for_a_converter(subject: Subject, tmp_path: Path) -> None:
    runner = runner_of(Path("android_aarch64_benchmark_model"))
    assert isinstance(runner, LiteRtBenchmark)
    with pytest.raises(EvaluationError, match="No converter"):
        runner.model(subject, PROTOCOL, tmp_path)
    converted = LiteRtBenchmark(lambda *_: (tmp_path / "m.tflite", "digest"))
    assert converted.model(subject, PROTOCOL, tmp_path)[1] == "digest"
    assert "--graph=m.tflite" in converted.command("m.tflite", PROTOCOL, 5)


def test_temperatures_are_those_of_now_and_of_what_computes() -> None:
    assert temperature_of_service(recorded("thermalservice.txt")) == 62.842
    assert temperature_of_service("Cached temperatures:\n\tTemperature{mValue=87.5, mType=0, mName=CPU}") is None
    assert temperature_of_zones(recorded("thermal_zones.txt")) == 41.2
