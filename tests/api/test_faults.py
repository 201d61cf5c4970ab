"""What a fault names as the nearest right value."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from nas.domain.faults import faults_of


class Bound(BaseModel):
    model_config = ConfigDict(strict=True)

    at_most: float


@pytest.mark.parametrize(
    ("given", "nearest"), [("0.05", "0.05"), ("nan", ""), ("-inf", ""), ("1e999", ""), ("much", "")]
)
def test_the_nearest_number_is_one_that_would_be_taken(given: str, nearest: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Bound.model_validate({"at_most": given})
    (fault,) = faults_of(raised.value, Bound)
    assert (fault.pointer, fault.reason, fault.nearest) == ("/at_most", "must be a number", nearest)
