"""A coordinator whose searches ask models: in a process beside it, which may be killed at any time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nas.domain.lifecycle import SearchStatus
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import Budget, StrategySpec
from tests.api.coordinators import Place, Running
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PATIENCE_S = 200.0
MODEL = {
    "strategy": StrategySpec(name="epsilon_constraint", initial_trials=4),
    "budget": Budget(trials=12),
    "constraints": (OutcomeConstraint(metric="noise_mse", at_most=0.05),),
    "parallelism": 1,
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


def origins(place: Place, search_id: str) -> list[str]:
    with place.installation.database.reader() as uow:
        return [trial.origin for trial in uow.trials.of_search(search_id)]


def is_done(place: Place, *searches: str) -> bool:
    return all(place.search(name).status is SearchStatus.COMPLETED for name in searches)


def test_two_searches_share_one_suggesting_process(place: Place) -> None:
    for name in ("one", "other"):
        place.submit(name, **MODEL)
    running = place.coordinator()
    until(lambda: is_done(place, "one", "other"), PATIENCE_S)
    for name in ("one", "other"):
        assert origins(place, name).count("bayesian") >= 6
    registry = running.around.metrics.registry
    assert registry.get_sample_value("blocksmith_suggestion_seconds_count") == 24
    assert running.suggester._matters == {}  # what has ended is forgotten


def test_a_search_of_random_draws_starts_no_process(place: Place) -> None:
    place.submit("one")
    running = place.coordinator()
    until(lambda: is_done(place, "one"), PATIENCE_S)
    assert running.suggester.process.pid is None
    assert running.suggester.process._keeper is None


def test_a_search_goes_on_while_its_suggesting_process_is_killed(place: Place) -> None:
    place.submit("one", **MODEL)
    running = place.coordinator()
    killed = kill_until(running, lambda: is_done(place, "one"), most=3)
    assert len(killed) == 3
    told = origins(place, "one")
    assert len(told) == 12
    assert "bayesian" in told


def kill_until(running: Running, condition, most: int) -> set[int]:
    """Kill the process `most` times, each of them once it answers questions."""
    killed: set[int] = set()
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        suggester = running.suggester
        pid = suggester.process.pid
        if len(killed) < most and pid not in killed and pid is not None and suggester.process.is_up.is_set():
            killed.add(pid)
            psutil.Process(pid).kill()
        time.sleep(0.05)
    return killed
