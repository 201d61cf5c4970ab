"""Manifests and alerts: well-formed, and in step with the product."""

from __future__ import annotations

import re
from typing import Any

import yaml

from api.metrics import Metrics
from api.settings import Settings
from tests.deployment.composition import ROOT, service

MANIFEST = ROOT / "deployment" / "kuberay" / "blocksmith.yaml"


def manifests() -> dict[tuple[str, str], dict[str, Any]]:
    return {(found["kind"], found["metadata"]["name"]): found for found in yaml.safe_load_all(MANIFEST.read_text())}


def containers() -> list[dict[str, Any]]:
    found = manifests()
    ray = found["RayCluster", "blocksmith"]["spec"]
    templates = [ray["headGroupSpec"]["template"], *(group["template"] for group in ray["workerGroupSpecs"])]
    templates += [
        found["Deployment", name]["spec"]["template"] for name in ("blocksmith-api", "blocksmith-coordinator")
    ]
    assert all(template["spec"]["securityContext"]["runAsNonRoot"] for template in templates)
    return [container for template in templates for container in template["spec"]["containers"]]


def test_every_variable_of_the_manifests_is_a_setting() -> None:
    settings = {f"BLOCKSMITH_{name.upper()}" for name in Settings.model_fields} | {"BLOCKSMITH_SECRETS_DIR"}
    used = set(re.findall(r"\bBLOCKSMITH_[A-Z_]+", MANIFEST.read_text()))
    assert used
    assert used <= settings


def test_every_container_is_bounded_and_has_the_same_image() -> None:
    assert {container["image"] for container in containers()} == {service("api")["image"]}
    assert all({"cpu", "memory"} <= set(container["resources"]["limits"]) for container in containers())


def test_the_ray_of_the_manifests_is_the_one_that_was_tested() -> None:
    pinned = re.search(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)
    assert pinned
    assert manifests()["RayCluster", "blocksmith"]["spec"]["rayVersion"] == pinned[1]


def test_every_alert_watches_a_metric_that_exists_and_says_what_to_do() -> None:
    groups = yaml.safe_load((ROOT / "deployment" / "alerts.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    exposed = {
        name
        for family in Metrics().registry.collect()
        for name in (family.name, f"{family.name}_total", f"{family.name}_bucket")
    }
    operations = (ROOT / "docs" / "operations.md").read_text()
    for rule in rules:
        assert set(re.findall(r"blocksmith_\w+", rule["expr"])) <= exposed, rule["alert"]
        assert rule["annotations"]["action"], rule["alert"]
        assert rule["alert"] in operations
