from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace

import pytest
from pydantic import TypeAdapter, ValidationError

from nas.domain.job import Evaluation
from nas.domain.metric import Measurement
from nas.domain.value import FrozenDict

MEASURED = Measurement(mean=0.5, sem=0.25, samples=64, unit="ms")


def test_its_json_is_that_of_a_value() -> None:
    evaluation = Evaluation(metrics=FrozenDict({"latency_ms": MEASURED}))
    document = '{"latency_ms":{"mean":0.5,"sem":0.25,"samples":64,"unit":"ms"}}'
    assert evaluation.model_dump_json(include={"metrics"}) == f'{{"metrics":{document}}}'
    again = Evaluation.model_validate_json(evaluation.model_dump_json())
    assert again == evaluation
    assert again.metrics["latency_ms"] == MEASURED


def test_it_travels_to_a_worker_and_back() -> None:
    again = pickle.loads(pickle.dumps(MEASURED))
    assert again == MEASURED
    assert hash(again) == hash(MEASURED)
    assert again != replace(MEASURED, mean=0.75)


@pytest.mark.parametrize(
    "text", ['{"mean":true}', '{"mean":"1"}', '{"mean":NaN}', '{"mean":1,"sem":-1}', '{"mean":1,"more":2}', "{}"]
)
def test_it_is_strict(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Measurement).validate_json(text)


def test_what_is_made_in_memory_is_as_strict() -> None:
    for wrong in (True, "1", float("nan"), float("inf")):
        with pytest.raises(ValidationError):
            Measurement(mean=wrong)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ValidationError):
        replace(MEASURED, sem=-1.0)


def test_it_cannot_change() -> None:
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        MEASURED.mean = 1.0  # type: ignore[misc]  # that is the point
    with pytest.raises((AttributeError, TypeError)):
        object.__setattr__(MEASURED, "other", 1.0)
