"""What concerns every test."""

from __future__ import annotations

from tests.storage.databases import stop_postgresql


def pytest_sessionfinish() -> None:
    """Processes of xdist end without their exit handlers: what those would stop is stopped here."""
    stop_postgresql()
