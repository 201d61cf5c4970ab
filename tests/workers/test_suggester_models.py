"""Real strategies in the suggesting process: the same trials as in one's own, come what may; and no compiler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from api.composition import _make_fall_back, _make_strategy, load_strategy
from nas.domain.lifecycle import SearchStatus
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import Budget, Search, StrategySpec
from nas.engine.advice import Strategy
from tests.nas.engine.scene import Scene, a_spec
from workers.suggester import Suggester
from workers.suggester_adviser import RemoteAdviser

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
SPEC = a_spec(
    budget=Budget(trials=14),
    parallelism=1,
    strategy=StrategySpec(name="epsilon_constraint", initial_trials=6),
    constraints=(OutcomeConstraint(metric="noise_mse", at_most=0.05),),
)


class WallClock:
    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@pytest.fixture(scope="module")
def suggester() -> Iterator[Suggester]:
    suggester = Suggester(_make_strategy, load_strategy, deadline_s=200.0)
    yield suggester
    suggester.close()


def tried(make: Any, disturb: Any = None) -> list[tuple[str, str]]:
    """Digest and origin of every trial of a search from its beginning to its end."""
    scene = Scene(SPEC)
    scene.clock = WallClock()  # type: ignore[assignment]  # processes think in real time
    scene.make_strategy = make
    loop = scene.loop()
    if disturb is not None:
        loop = disturb(scene, loop)
    assert loop.run() is SearchStatus.COMPLETED
    assert scene.facts("suggestion") == []
    return [(trial.architecture.digest, trial.origin) for trial in scene.trials()]


@pytest.fixture(scope="module")
def undisturbed() -> list[tuple[str, str]]:
    """In this process."""
    trials = tried(_make_strategy)
    assert [origin for _, origin in trials].count("bayesian") >= 7
    return trials


def remote(suggester: Suggester) -> Any:
    def make(search: Search, costs: Any) -> RemoteAdviser:
        return RemoteAdviser(suggester, search, costs, no_fall_back)

    return make


def no_fall_back(search: Search, costs: Any) -> Strategy:
    raise AssertionError("a fall-back, within two hundred seconds")


def test_trials_are_the_same_in_a_process_of_their_own(
    suggester: Suggester, undisturbed: list[tuple[str, str]]
) -> None:
    assert tried(remote(suggester)) == undisturbed


def test_killing_the_process_in_the_middle_of_questions_changes_no_trial(
    suggester: Suggester, undisturbed: list[tuple[str, str]]
) -> None:
    victims: set[int] = set()

    def kill(scene: Scene, loop: Any) -> Any:
        def watch() -> None:
            while len(victims) < 2:
                question, pid = suggester._asked, suggester.process.pid
                late = question is not None and question.matter.told in (8, 11)
                if late and question.deaths == 0 and pid is not None and pid not in victims:
                    victims.add(pid)
                    psutil.Process(pid).kill()
                time.sleep(0.001)

        threading.Thread(target=watch, daemon=True).start()
        return loop

    assert tried(remote(suggester), kill) == undisturbed
    assert len(victims) == 2


def test_a_driver_that_begins_again_gets_the_same_suggestions(
    suggester: Suggester, undisturbed: list[tuple[str, str]]
) -> None:
    def leave(scene: Scene, loop: Any) -> Any:
        loop.recover()
        while len(scene.trials()) < 9:
            loop.tick()
        loop.stop()
        return scene.loop()

    assert tried(remote(suggester), leave) == undisturbed


def test_the_fall_back_proposes_within_the_exact_bounds_and_repeats_nothing() -> None:
    bound = OutcomeConstraint(metric="gmacs", at_most=4.0)
    scene = Scene(SPEC.evolve(constraints=(bound,)))
    made: list[Any] = []

    def make(search: Search, costs: Any) -> Strategy:
        made.append(costs)
        return _make_fall_back(search, costs)

    scene.make_strategy = make
    assert scene.loop().run() is SearchStatus.COMPLETED
    (costs,) = made
    trials = scene.trials()
    assert {trial.origin for trial in trials[1:]} == {"fall-back"}
    assert len({trial.architecture.digest for trial in trials}) == len(trials)
    assert all(costs.of(trial.architecture)["gmacs"].mean <= bound.at_most for trial in trials[1:])


FIRST_SUGGESTION = """
import json, sys, time
from api.composition import _make_strategy, load_strategy
from tests.workers.test_suggester_models import SPEC, no_fall_back, remote, tried
from workers.suggester import Suggester

if __name__ == "__main__":
    began = time.monotonic()
    suggester = Suggester(_make_strategy, load_strategy, deadline_s=200.0)
    trials = tried(remote(suggester))
    suggester.close()
    print(json.dumps({"seconds": time.monotonic() - began, "origins": [origin for _, origin in trials]}))
"""

TRAP = """
import time
from workers.suggester_host import settle

settle()
from botorch.acquisition.multi_objective import logei

began = time.monotonic()
logei._try_load_fused_kernel()
print(logei._C, time.monotonic() - began)
"""


def fresh_home(folder: Path, stale: bool) -> dict[str, str]:
    """The environment of a new machine with a compiler; or of one where a build was killed."""
    assert subprocess.run(["g++", "--version"], capture_output=True, check=False).returncode == 0
    if stale:
        for tag in (f"py{sys.version_info.major}{sys.version_info.minor}_cpu", ""):
            place = folder / ".cache" / "torch_extensions" / tag / "logei_fused_ext"
            place.mkdir(parents=True)
            (place / "lock").touch()
    kept = {name: value for name, value in os.environ.items() if name != "TORCH_EXTENSIONS_DIR"}
    return {**kept, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / ".cache"), "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("stale", [False, True], ids=["new machine", "stale lock"])
def test_first_suggestions_compile_nothing_and_wait_for_nobody(tmp_path: Path, stale: bool) -> None:
    program = tmp_path / "first.py"
    program.write_text(FIRST_SUGGESTION)
    home = tmp_path / "home"
    home.mkdir()
    environment = fresh_home(home, stale)
    before = sorted(home.rglob("torch_extensions/**/*"))
    told = subprocess.run(
        [sys.executable, str(program)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    said = json.loads(told.stdout.splitlines()[-1])
    assert "bayesian" in said["origins"]
    assert said["seconds"] < 100.0
    assert sorted(home.rglob("torch_extensions/**/*")) == before


def test_even_the_acquisition_that_compiles_finds_no_place_for_it_in_there(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRAP],
        env=fresh_home(home, stale=True),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    extension, seconds = told.stdout.split()[-2:]
    assert extension == "None"
    assert float(seconds) < 60.0
