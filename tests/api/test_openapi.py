"""The OpenAPI document: complete, true to the client, and the one in `docs/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.client import Client
from api.reference import openapi_document, write_reference
from nas.domain.search import SearchSpec

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document()


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for methods in document["paths"].values() for operation in methods.values()]


def test_the_committed_reference_is_that_of_the_app(tmp_path: Path) -> None:
    (tmp_path / "rest.md").write_text((DOCS / "rest.md").read_text())
    write_reference(tmp_path)
    for name in ("openapi.json", "rest.md"):
        assert (tmp_path / name).read_text() == (DOCS / name).read_text(), "run `make openapi`"


def test_every_operation_has_a_method_of_the_client(operations: list[dict[str, Any]]) -> None:
    without = {"live", "metrics", "changes"}  # for probes, Prometheus and the page
    names = {operation["operationId"] for operation in operations} - without
    other = {"installation_keys": "keys", "create_installation_key": "create_key"}
    assert [name for name in names if not hasattr(Client, other.get(name, name))] == []


def test_operations_have_distinct_names_and_tell_what_they_do(operations: list[dict[str, Any]]) -> None:
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] and operation["description"] for operation in operations)


def test_every_parameter_is_described(operations: list[dict[str, Any]]) -> None:
    silent = [
        (operation["operationId"], parameter["name"])
        for operation in operations
        for parameter in operation.get("parameters", ())
        if not parameter.get("description")
    ]
    assert silent == []


def test_every_operation_behind_a_key_says_so(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert bool(operation.get("security")) is (not path.startswith("/health")), path


def test_every_problem_is_problem_json(operations: list[dict[str, Any]]) -> None:
    for operation in operations:
        for status, response in operation["responses"].items():
            if status.startswith("4"):
                assert list(response["content"]) == ["application/problem+json"], (operation["operationId"], status)


def test_every_schema_is_described_and_its_examples_are_valid(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    of_spec = set(SearchSpec.model_json_schema()["$defs"]) | {"SearchSpec"}
    enums = {name for name, schema in schemas.items() if "enum" in schema}
    for name, schema in schemas.items():
        examples = schema.get("examples", [])
        assert name in of_spec | enums or name.startswith("Page_") or (schema.get("description") and examples), name
        for example in examples:
            resolved = {**schema, "components": document["components"]}
            errors = list(Draft202012Validator(resolved).iter_errors(example))
            assert not errors, (name, errors[0].message)


def test_the_example_of_a_spec_is_a_spec(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/searches"]["post"]["requestBody"]["content"]
    for media in ("application/json", "application/yaml"):
        example = content[media]["examples"]["spec"]["value"]
        SearchSpec.model_validate_json(json.dumps(example))
