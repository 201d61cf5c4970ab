"""A service to attack, and how its refusals read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nas.domain.lifecycle import SearchStatus
from tests.api.filled import a_search, fill
from tests.api.serving import Served, serve


def under_attack(folders: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with the finished search `red-1` and one allowed folder, until the attack is over."""
    served = serve(folders.mktemp("hostile"), allowed_roots=(folders.mktemp("roots"),))
    fill(served.installation.database, a_search("red-1", project="red"), status=SearchStatus.COMPLETED)
    with served.http:
        yield served


def faults(answer: Any) -> dict[str, str]:
    """Reasons by the place they point to."""
    return {fault["pointer"]: fault["reason"] for fault in answer.json()["errors"]}
