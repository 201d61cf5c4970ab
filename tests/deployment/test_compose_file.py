"""The compose file: valid by its schema, and as tight as it claims to be."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from api.settings import Settings
from tests.deployment.composition import ROOT, compose, service

SCHEMA = Path(__file__).with_name("schema") / "compose_spec.json"
OURS = ("ray-head", "ray-worker", "coordinator", "api")
SECONDS = {"s": 1, "m": 60}


def seconds(text: str) -> int:
    return int(text[:-1]) * SECONDS[text[-1]]


def schema() -> dict[str, Any]:
    document = json.loads(SCHEMA.read_text())
    assert isinstance(document, dict)
    return document


def test_the_file_is_valid_by_the_schema_of_compose() -> None:
    document = json.loads(json.dumps(compose()))  # as JSON has it: the schema knows no dates and no tuples
    faults = [
        f"/{'/'.join(map(str, fault.path))}: {fault.message}"
        for fault in Draft7Validator(schema()).iter_errors(document)
    ]
    assert faults == []


def test_the_schema_would_notice_a_slip() -> None:
    slipped = json.loads(json.dumps(compose()))
    slipped["services"]["api"]["comand"] = slipped["services"]["api"].pop("command")
    assert not Draft7Validator(schema()).is_valid(slipped)


def test_the_schema_is_the_one_its_notice_names() -> None:
    digest = hashlib.sha256(SCHEMA.read_bytes()).hexdigest()
    assert digest in SCHEMA.with_name("README.md").read_text()


def test_only_the_page_is_published_and_only_on_the_loopback() -> None:
    published = {name: found["ports"] for name, found in compose()["services"].items() if "ports" in found}
    assert list(published) == ["api"]
    assert all(port.startswith("127.0.0.1:") for port in published["api"])
    assert compose()["networks"]["inside"] == {"internal": True}


def test_every_api_replica_gets_a_port() -> None:
    low, high = re.fullmatch(r"127\.0\.0\.1:(\d+)-(\d+):8484", service("api")["ports"][0]).groups()
    assert int(high) - int(low) + 1 == service("api")["deploy"]["replicas"] >= 2


@pytest.mark.parametrize("name", OURS)
def test_our_containers_may_do_no_more_than_they_must(name: str) -> None:
    found = service(name)
    assert found["user"].split(":")[0] != "0"
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in found["security_opt"]


@pytest.mark.parametrize("name", [*OURS, "postgres"])
def test_every_container_is_watched_bounded_and_started_again(name: str) -> None:
    found = service(name)
    assert found["healthcheck"]["test"][0] == "CMD"
    assert set(found["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert found["restart"] == "unless-stopped"
    assert found["logging"]["options"]["max-size"]


def test_a_coordinator_may_drain_before_it_is_killed() -> None:
    drain_s = float(service("coordinator")["environment"]["BLOCKSMITH_DRAIN_S"])
    assert seconds(service("coordinator")["stop_grace_period"]) >= drain_s + 10
    assert service("coordinator")["deploy"]["replicas"] >= 2


def test_secrets_come_from_files_that_git_does_not_see() -> None:
    for name, secret in compose()["secrets"].items():
        ignored = subprocess.run(["git", "check-ignore", "-q", secret["file"]], cwd=ROOT, check=False)
        assert ignored.returncode == 0, name
    text = (ROOT / "docker-compose.yml").read_text()
    assert not re.search(r"(?i)(password|token)\s*:\s*[\"']?[0-9a-f]{16}", text)


def test_every_variable_is_a_setting() -> None:
    settings = {f"BLOCKSMITH_{name.upper()}" for name in Settings.model_fields} | {"BLOCKSMITH_SECRETS_DIR"}
    for name in OURS:
        used = {variable for variable in service(name)["environment"] if variable.startswith("BLOCKSMITH_")}
        assert used <= settings, name


def test_secrets_are_made_once_and_kept_from_others(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets.sh"
    script.write_bytes((ROOT / "deployment" / "make-secrets.sh").read_bytes())
    subprocess.run(["sh", script], check=True)
    made = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    assert set(made) == set(compose()["secrets"])
    assert made["postgres_password"] in made["blocksmith_database"]
    assert len(made["ray_token"]) == 64
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    subprocess.run(["sh", script], check=True)
    assert {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()} == made


def test_the_image_holds_every_package_and_runs_as_nobody_special() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for package in ("nas", "workers", "storage", "api"):
        assert f"COPY {package} {package}" in dockerfile
        assert f"!{package}" in (ROOT / ".dockerignore").read_text()
    assert re.findall(r"^USER (.+)$", dockerfile, flags=re.MULTILINE)[-1] == "blocksmith"
    assert "HEALTHCHECK" in dockerfile
    pinned = re.search(r"^torch==(.+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)
    assert pinned
    assert f"torch=={pinned[1]}" in dockerfile
