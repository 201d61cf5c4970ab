from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.unit_of_work import Database
from tests.storage import databases
from tests.storage.values import a_search


@pytest.fixture(params=databases.ALL)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[databases.AnyDatabase]:
    """An empty database of each kind."""
    opened = databases.make(request.param, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def searched(database: databases.AnyDatabase) -> databases.AnyDatabase:
    """A database that holds the search `alpha`."""
    with database.unit_of_work() as work:
        work.searches.add(a_search())
        work.commit()
    return database


@pytest.fixture(params=databases.SQL)
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database that other processes can open too, holding the search `alpha`."""
    opened = databases.make(request.param, tmp_path)
    assert isinstance(opened, Database)
    with opened.unit_of_work() as work:
        work.searches.add(a_search())
        work.commit()
    yield opened
    opened.close()
