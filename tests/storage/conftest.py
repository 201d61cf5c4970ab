from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.unit_of_work import Database
from tests.storage import databases


@pytest.fixture(params=databases.SQL)
def sql(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database of each kind that a service can have."""
    opened = databases.make(request.param, tmp_path)
    assert isinstance(opened, Database)
    yield opened
    opened.close()
