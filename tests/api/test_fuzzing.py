"""Schemathesis over the whole OpenAPI document: whatever is sent, nothing breaks and every answer is as promised.

`BLOCKSMITH_FUZZING=N` makes N times as many requests.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Flaky
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from nas.domain.lifecycle import SearchStatus
from tests.api.filled import a_search, fill
from tests.api.serving import Served, serve

TIMES = int(os.environ.get("BLOCKSMITH_FUZZING", "1"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    missing_required_header,
    unsupported_method,
]
QUIETLY = list(HealthCheck)
DOCUMENT = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
OPERATIONS = [
    f"{method.upper()} {path}"
    for path, operations in DOCUMENT["paths"].items()
    for method in operations
    if path != "/v1/events"  # an endless stream is no answer to wait for; tests of events read it
]
KNOWN = {"search": "alpha-1", "project": "red", "number": 3}
"""What half of the generated paths speak of, so that routes are fuzzed behind their 404."""
VALID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
"""What may be replaced by something known: a request that is meant to be refused must stay one."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = serve(tmp_path_factory.mktemp("fuzzed"), public_names=("testserver",))
    fill(served.installation.database, a_search("alpha-1", project="red"), status=SearchStatus.COMPLETED)
    fill(served.installation.database, a_search("beta-1", project="blue"))
    with served.http:
        served.http.app.state.service.desk.catalogue()  # imports what the first spec would wait for
        yield served


@pytest.fixture(scope="module")
def schema(served: Served) -> Any:
    schema = schemathesis.openapi.from_asgi("/openapi.json", served.http.app)

    @schema.hook
    def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
        del context
        given = path_parameters or {}
        return {name: KNOWN.get(name, value) if _is_replaceable(value) else value for name, value in given.items()}

    return schema.exclude(path="/v1/events")


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_breaks_the_server_or_its_promises(label: str, served: Served, schema: Any) -> None:
    operation = next(found.ok() for found in schema.get_all_operations() if found.ok().label == label)

    @settings(max_examples=10 * TIMES, suppress_health_check=QUIETLY, database=None)
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        for who in ("admin", "red/submitter"):
            response = case.call(headers=served.bearer(who))
            case.validate_response(response, checks=CHECKS)

    send()


def test_no_sequence_of_requests_breaks_the_server(served: Served, schema: Any) -> None:
    statuses: list[int] = []
    broken: list[str] = []

    class Visitor(schema.as_state_machine()):
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": served.bearer("red/admin")}

        def validate_response(self, response: Any, case: Any, **kwargs: Any) -> None:
            statuses.append(response.status_code)
            try:
                case.validate_response(response, checks=CHECKS)
            except FailureGroup as failure:
                broken.append(str(failure))

    once = settings(
        max_examples=25,
        stateful_step_count=8,
        phases=[Phase.generate],
        suppress_health_check=QUIETLY,
        database=None,
    )
    while len(statuses) < 120 * TIMES and not broken:
        # The server remembers what came before, so that Hypothesis cannot replay a sequence, and may say so.
        with contextlib.suppress(Flaky):
            Visitor.run(settings=once)
    assert broken == []
    assert {status // 100 for status in statuses} == {2, 4}


def _is_replaceable(value: object) -> bool:
    text = str(value)
    return VALID.fullmatch(text) is not None and sum(text.encode()) % 2 == 0
