"""What concerns every test."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.storage.databases import stop_postgresql

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")  # a busy machine is no fault of the code; speed is measured in benchmarks/


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: of two processes none should be left with the longest one at the end.

    pytest-xdist would sort by the number of tests; the Makefile tells it not to.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_sessionfinish() -> None:
    """Processes of xdist end without their exit handlers: what those would stop is stopped here."""
    stop_postgresql()
