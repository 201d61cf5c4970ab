"""Documents that want to break something: each kind is refused in a sentence, and nothing breaks."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.hostile import faults, under_attack
from tests.api.serving import Served

YAML = "application/yaml"
BOMB = "name: x\na: &a [1,1,1,1]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\n"
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from under_attack(tmp_path_factory)


def post(
    served: Served, body: bytes | str, media: str = "application/json", path: str = "/v1/searches", **headers: str
) -> Any:
    sent = {**served.bearer("red/submitter"), "Content-Type": media, **headers}
    return served.http.post(path, content=body, headers=sent)


def spec(**changes: object) -> str:
    return json.dumps({"name": "x", "constraints": [{"metric": "noise_mse", "at_most": 1.0}], **changes})


@pytest.mark.parametrize(
    ("body", "media"),
    [
        ("", "application/json"),
        ("nonsense", "application/json"),
        (b"\xff\xfe\x00", "application/json"),
        ("[1, 2]", "application/json"),
        ('{"name": "a", "name": "b"}', "application/json"),
        ('{"name": NaN}', "application/json"),
        ('{"name": "x", "seed": 1' + "0" * 5000 + "}", "application/json"),
        ('{"name": "x", "budget": {"trials": 1e999}}', "application/json"),
        ('{"name": "\\u0000"}', "application/json"),
        ('{"name": "\\ud800"}', "application/json"),
        ('{"name": "x", "calibration": {"source": "images", "path": "a\\u0000b"}}', "application/json"),
        (DEEP, "application/json"),
        ('{"a":' * 40 + "1" + "}" * 40, "application/json"),
        (BOMB, YAML),
        ("{" * 5000, YAML),
        ("name: !!python/object/apply:os.system [true]", YAML),
        ("name: x\nname: y", YAML),
        ("? [a, b]\n: c", YAML),
        ("\x01\x02", YAML),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_document_that_is_none_is_refused_with_a_reason(served: Served, body: bytes | str, media: str) -> None:
    answer = post(served, body, media)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["reason"]


@pytest.mark.parametrize("path", ["/v1/searches", "/v1/dry-runs", "/v1/searches/red-1/bounds", "/v1/projects"])
def test_a_body_too_large_is_refused_whatever_its_length_says(served: Served, path: str) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    headers = {**served.bearer("admin"), "Content-Type": "application/json"}
    assert served.http.post(path, content=b" " * 300_000, headers=headers).status_code == 413
    chunked = served.http.post(path, content=pieces(), headers=headers)
    assert (chunked.status_code, chunked.json()["code"]) == (413, "payload_too_large")


def test_a_compressed_body_is_not_unpacked(served: Served) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    answer = post(served, bomb, **{"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("media", ["text/plain", "application/x-pickle", "multipart/form-data; boundary=x", ""])
def test_a_body_of_another_type_is_not_read(served: Served, media: str) -> None:
    assert post(served, spec(), media).status_code == 415


def test_yaml_is_read_for_specs_alone(served: Served) -> None:
    assert post(served, "constraints: []", YAML, "/v1/searches/red-1/bounds").status_code == 415


@pytest.mark.parametrize(
    "source",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://example.org/model",
        "file:///etc/passwd",
        "ftp://example.org/x",
        "127.0.0.1:8080",
        "localhost/../../etc",
        "../../../etc",
        "/etc",
        "~root",
        "a/b/c",
        "//example.org/share",
        "\\\\example.org\\share",
        "hub-name/that-is-not-cached",
        "reference/../..",
    ],
)
def test_a_teacher_is_looked_for_neither_on_the_network_nor_outside_the_allowed_folders(
    served: Served, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", no_network)
    monkeypatch.setattr("socket.getaddrinfo", no_network)
    answer = post(served, spec(teacher={"source": source}), path="/v1/searches?check=true")
    assert answer.status_code == 422
    assert "/teacher/source" in faults(answer)
    assert "network was asked" not in answer.text


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc", "~/../../etc/shadow", "/proc/self/environ"])
def test_files_are_named_inside_the_allowed_folders_alone(served: Served, path: str) -> None:
    calibration = {"source": "images", "path": path, "conditioning": {"kind": "stored", "path": path}}
    told = faults(post(served, spec(calibration=calibration), path="/v1/searches?check=true"))
    assert "allowed folders" in told["/calibration/path"]
    assert "allowed folders" in told["/calibration/conditioning/path"]


def test_a_link_does_not_lead_out_of_the_allowed_folders(served: Served) -> None:
    link = served.installation.settings.roots[0] / "innocent"
    link.symlink_to("/etc")
    told = faults(post(served, spec(teacher={"source": str(link)}), path="/v1/searches?check=true"))
    assert "allowed folders" in told["/teacher/source"]


def test_weights_that_would_run_code_are_refused(served: Served) -> None:
    folder = served.installation.settings.roots[0] / "pickled"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"_class_name": "UNet2DConditionModel"}))
    (folder / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04.")
    told = faults(post(served, spec(teacher={"source": str(folder)}), path="/v1/searches?check=true"))
    assert "could execute code" in told["/teacher/source"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/constraints"),
        ({"constraints": [{"metric": "params", "at_most": 0}]}, "/constraints/0/at_most"),
        ({"constraints": [{"metric": "params", "at_most": "1"}]}, "/constraints/0/at_most"),
        ({"constraints": [{"metric": "params", "at_most": True}]}, "/constraints/0/at_most"),
        ({"constraints": [{"metric": "params", "at_most": 1e300}]}, "/constraints/0/at_most"),
        ({"constraints": [{"metric": "x" * 100, "at_most": 1}]}, "/constraints/0/metric"),
        ({"constraints": [{"metric": "params", "at_most": 1e9}] * 9}, "/constraints"),
        ({"constraints": [{"metric": "params", "at_most": 1e9}] * 2}, "/constraints"),
        ({"constraints": [{"metric": "nonsense", "at_most": 1}]}, "/constraints/0/metric"),
        ({"constraints": [], "base_version": -1}, "/base_version"),
        ({"constraints": [], "base_version": 10**30}, "/base_version"),
        ({"constraints": [], "objectives": ["params", "params"]}, "/objectives"),
        ({"constraints": [], "more": 1}, "/more"),
    ],
)
def test_bounds_that_cannot_be_are_told_where(served: Served, body: dict[str, Any], pointer: str) -> None:
    answer = post(served, json.dumps(body), path="/v1/searches/red-1/bounds")
    assert answer.status_code == 422
    assert pointer in faults(answer)
