from __future__ import annotations

import base64
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nas.domain.device import LatencyProtocol
from nas.errors import EvaluationError, NasError, TransientError
from nas.estimation.devices.base import Subject
from nas.estimation.devices.qai_hub import QaiHub, _layers
from nas.estimation.devices.qai_hub_messages import CREATED, DONE, message
from tests.nas.estimation.devices.hub_stub import COMPILE_JOB, MEASURING, PART_BYTES, PROFILE_JOB, TOKEN, HubStub

RECORDED = json.loads((Path(__file__).parent / "recordings" / "qai_hub_messages.json").read_text())["messages"]
PROTOCOL = LatencyProtocol(precision="fp16", warmup=2, repeats=4, seconds=0.0)


def recorded(name: str) -> bytes:
    return base64.b64decode(RECORDED[name]["bytes"])


def parsed(name: str) -> Any:
    return message(RECORDED[name]["message"]).FromString(recorded(name))


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStub]:
    server = HubStub()
    monkeypatch.setenv("QAI_HUB_API_TOKEN", TOKEN)
    monkeypatch.setenv("QAI_HUB_API_URL", server.url)
    monkeypatch.setenv("QAI_HUB_DEVICE", "Samsung Galaxy S24")
    monkeypatch.delenv("QAI_HUB_OS", raising=False)
    yield server
    server.close()


@pytest.fixture
def device() -> QaiHub:
    return QaiHub(poll_s=0.01, queue_timeout_s=5.0)


@pytest.fixture(scope="module")
def subject() -> Subject:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 24, 3), nn.GroupNorm(2, 24), nn.SiLU())
    return Subject(layers.eval(), {"x": torch.randn(1, 3, 8, 8)})


def test_a_network_is_uploaded_compiled_profiled_and_its_raw_samples_kept(
    stub: HubStub, device: QaiHub, subject: Subject
) -> None:
    measured = device.measure(subject, PROTOCOL)
    assert measured.samples_ms == (12.1, 12.2, 12.4, 12.9)  # two warm-ups are left out
    assert measured.median_ms == pytest.approx(12.3)
    assert measured.fallbacks == 1
    assert measured.canary_ms == ()
    assert measured.device.runtime == "QAIRT 2.45.0.260326"
    assert measured.device.kind == "measured"
    assert measured.device.labels["soc"] == "qualcomm-snapdragon-8gen3"
    assert measured.device.labels["npu"] == "hexagon v75"
    assert measured.device.labels["os"] == "android 14"
    assert measured.conditions == {"tool ONNX Runtime": "1.24.0"}
    assert measured.device == device.describe(PROTOCOL)


def test_the_file_that_is_uploaded_is_the_networks_graph(
    stub: HubStub, device: QaiHub, subject: Subject, tmp_path: Path
) -> None:
    from nas.estimation.onnx_export import graph_digest

    measured = device.measure(subject, PROTOCOL)
    assert all(len(part) == PART_BYTES for part in stub.parts[:-1])
    (tmp_path / "received.onnx").write_bytes(b"".join(stub.parts))
    assert graph_digest(tmp_path / "received.onnx") == measured.subject


def test_jobs_name_the_device_the_precision_and_the_pinned_runtime(
    stub: HubStub, device: QaiHub, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAI_HUB_RUNTIME", "tflite")
    device.measure(subject, PROTOCOL.evolve(precision="int8"))
    compile_job, profile_job = stub.jobs[0].compile_job, stub.jobs[1].profile_job
    assert compile_job.options == "--target_runtime tflite --truncate_64bit_io --qairt_version 2.45"
    assert profile_job.options == "--compute_unit npu --max_profiler_iterations 6 --qairt_version 2.45"
    assert compile_job.devices.devices[0].name == profile_job.device.name == "Samsung Galaxy S24"
    assert b"QuantizeLinear" in b"".join(stub.parts)


def test_layers_tell_their_unit_and_those_of_the_last_measurement_cost_no_second_job(
    stub: HubStub, device: QaiHub, subject: Subject
) -> None:
    device.measure(subject, PROTOCOL)
    layers = device.profile(subject, PROTOCOL)
    assert [(layer.name, layer.unit, layer.ms, layer.is_fallback) for layer in layers] == [
        ("/conv", "NPU", 9.0, False),
        ("/norm", "CPU", 2.5, True),
        ("/silu", "NPU", 0.6, False),
    ]
    assert len(stub.jobs) == 2
    device.profile(subject, PROTOCOL.evolve(warmup=0))
    assert len(stub.jobs) == 4


def test_the_token_goes_to_the_service_and_nowhere_else(
    stub: HubStub, device: QaiHub, subject: Subject, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    measured = device.measure(subject, PROTOCOL)
    for _, path, _, headers in stub.requests:
        assert ("Authorization" in headers) == path.startswith("/api/v1/")
    assert TOKEN not in caplog.text
    assert TOKEN not in measured.model_dump_json()


def test_a_token_is_not_sent_in_clear_over_the_network(
    stub: HubStub, device: QaiHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAI_HUB_API_URL", "http://hub.example.org")
    with pytest.raises(EvaluationError, match="https"):
        device.describe(PROTOCOL)


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (400, EvaluationError, "refused a request"),
        (403, TransientError, "may not do that"),
        (413, EvaluationError, "413"),
        (426, TransientError, "no longer speaks"),
        (429, TransientError, "quota"),
        (503, TransientError, "failed"),
    ],
)
def test_what_the_service_refuses_says_whether_trying_again_helps(
    stub: HubStub, device: QaiHub, subject: Subject, status: int, error: type[NasError], words: str
) -> None:
    stub.failing["/api/v1/models/"] = (status, b"told by the service", "text/html")
    with pytest.raises(error, match=words) as caught:
        device.measure(subject, PROTOCOL)
    assert TOKEN not in str(caught.value)


def test_a_wrong_token_gives_up_no_architecture(
    stub: HubStub, device: QaiHub, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAI_HUB_API_TOKEN", "wr0ng-t0ken")
    with pytest.raises(TransientError, match="does not accept the API token") as caught:
        device.measure(subject, PROTOCOL)
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "body"), [("text/html", b"<html>a proxy's page</html>"), ("application/x-protobuf", b"\xff\xff\xff")]
)
def test_garbage_is_worth_another_try(
    stub: HubStub, device: QaiHub, subject: Subject, kind: str, body: bytes
) -> None:
    stub.failing["/api/v1/devices/"] = (200, body, kind)
    with pytest.raises(TransientError, match="answer"):
        device.measure(subject, PROTOCOL)


def test_a_service_that_is_not_there_is_worth_another_try(
    stub: HubStub, device: QaiHub, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("QAI_HUB_API_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(TransientError, match="cannot be reached"):
        device.measure(subject, PROTOCOL)


@pytest.mark.parametrize(
    ("job", "kind", "error"),
    [
        (COMPILE_JOB, 3, EvaluationError),
        (PROFILE_JOB, 12001, EvaluationError),
        (PROFILE_JOB, 2100, TransientError),
        (PROFILE_JOB, 21000, TransientError),
    ],
)
def test_a_failed_job_tells_its_reason_and_whether_the_network_is_to_blame(
    stub: HubStub, device: QaiHub, subject: Subject, job: str, kind: int, error: type[NasError]
) -> None:
    stub.failure[job] = (kind, "Layer 12 is not supported.")
    with pytest.raises(error, match="Layer 12 is not supported"):
        device.measure(subject, PROTOCOL)


def test_waiting_for_a_device_and_running_on_it_have_time_outs_of_their_own(stub: HubStub, subject: Subject) -> None:
    device = QaiHub(poll_s=0.01, queue_timeout_s=0.1)
    stub.states = [CREATED]
    with pytest.raises(TransientError, match="was not free"):
        device.measure(subject, PROTOCOL)
    stub.states = [DONE]
    stub._asked.clear()
    device.measure(subject, PROTOCOL)
    stub.states = [DONE, MEASURING]
    stub._asked = {PROFILE_JOB: 0}
    with pytest.raises(EvaluationError, match=r"longer than 0\.1 s"):
        device.measure(subject, PROTOCOL.evolve(timeout_s=0.1))


def test_an_answer_that_is_lost_while_a_job_runs_does_not_lose_the_job(
    stub: HubStub, device: QaiHub, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = iter(range(100))
    usual = HubStub.answer

    def flaky(self: HubStub, method: str, url: str, *rest: Any) -> tuple[int, str, bytes]:
        if url == f"/api/v1/jobs/{PROFILE_JOB}/" and next(asked) < 3:
            return 502, "text/html", b""
        return usual(self, method, url, *rest)

    monkeypatch.setattr(HubStub, "answer", flaky)
    assert device.measure(subject, PROTOCOL).samples_ms


def test_a_service_that_tells_no_single_runs_is_quoted_as_such(
    stub: HubStub, device: QaiHub, subject: Subject
) -> None:
    del stub.profile.all_execution_times[:]
    measured = device.measure(subject, PROTOCOL)
    assert measured.samples_ms == (12.1,)
    assert "no single runs" in measured.conditions["samples"]


def test_an_unknown_device_and_one_of_several_systems_are_told(
    stub: HubStub, device: QaiHub, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.devices.append({**stub.devices[0], "os": "15"})
    with pytest.raises(EvaluationError, match=r"14, 15.*QAI_HUB_OS"):
        device.measure(subject, PROTOCOL)
    monkeypatch.setenv("QAI_HUB_OS", "15")
    assert device.measure(subject, PROTOCOL).device.labels["os"] == "android 15"
    monkeypatch.setenv("QAI_HUB_DEVICE", "Samsung Galaxy S99")
    with pytest.raises(EvaluationError, match="no device named"):
        device.measure(subject, PROTOCOL)


def test_absence_names_what_is_not_set_and_asks_the_service_nothing(
    stub: HubStub, device: QaiHub, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert device.absence() == ""
    monkeypatch.delenv("QAI_HUB_DEVICE")
    assert "QAI_HUB_DEVICE is not set" in device.absence()
    monkeypatch.delenv("QAI_HUB_API_TOKEN")
    assert "QAI_HUB_API_TOKEN is not set" in device.absence()
    with pytest.raises(EvaluationError, match="QAI_HUB_API_TOKEN"):
        device.measure(subject, PROTOCOL)
    assert stub.requests == []


def test_single_precision_is_refused_because_the_npu_has_none(
    stub: HubStub, device: QaiHub, subject: Subject
) -> None:
    with pytest.raises(EvaluationError, match="does not run fp32"):
        device.measure(subject, LatencyProtocol())


def test_what_the_services_own_client_reads_is_read_alike() -> None:
    done, failed = parsed("compile job done"), parsed("profile job failed")
    assert (done.compile_job.job_state, done.compile_job.target_model.model_id) == (DONE, "m2")
    assert (failed.failure_type, failed.profile_job.failure_reason) == (21000, "The device went away.")
    assert parsed("devices").devices[0].soc_description == "Snapdragon 8 Gen 3"
    assert parsed("frameworks").frameworks[0].api_tags == ["default", "latest"]
    assert (parsed("places").max_part_size, len(parsed("places").urls)) == (100, 2)
    assert parsed("created").id == "m1"
    profile = parsed("profile result").profile_job_result.profile
    assert list(profile.all_execution_times) == [5600, 5004, 5010]
    assert [(layer.unit, layer.ms) for layer in _layers(profile)] == [("NPU", 5.0), ("CPU", 0.004)]
    assert profile.tool_versions[0].version == "2.45.0.260326"


def test_what_is_sent_is_what_the_services_own_client_sends() -> None:
    system = {"name": "Samsung Galaxy S24", "os": "14"}
    compile_job = {
        "model": {"model_id": "mabc"},
        "devices": {"devices": [system], "total_query_count": 1},
        "name": "n",
        "options": "--target_runtime onnx",
    }
    profile_job = {"model": {"model_id": "mtarget"}, "device": system, "name": "n", "options": "--compute_unit npu"}
    sent = {
        "sent compile": message("Job")(compile_job=compile_job),
        "sent profile": message("Job")(profile_job=profile_job),
        "sent model": message("Model")(name="m", model_type=6),
        "sent complete": message("FileMultipartUploadComplete")(upload_id="u1", etags=['"a"', '"b"']),
    }
    for name, ours in sent.items():
        assert ours.SerializeToString(deterministic=True) == recorded(name), name
