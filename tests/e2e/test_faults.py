"""SIGKILL for the driver, a worker, everything, each at three moments: the same search then finishes.

Real processes, a SQLite file, Ray, the real executor on a tiny teacher. The killed drivers die two at a
time; then two new ones finish their searches, and three more during which workers are killed.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from nas.domain.lifecycle import SearchStatus, TrialStatus
from nas.domain.search import Search
from nas.domain.trial import Trial
from tests.builders.tiny_unet import make_teacher
from tests.e2e.mortal_driver import open_folder
from tests.e2e.tiny import SPACE, STAGES, a_tiny_search
from tests.e2e.witness import MOMENTS, lines_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]
TRIALS = 6
VICTIMS = ("driver", "everything", "worker")
CASES = [(victim, moment) for victim in VICTIMS for moment in MOMENTS]
LONGEST_FAREWELL_S = 90.0
"""Workers and Ray's own servers are gone within seconds of a killed driver. Two idle agents of Ray try for a
minute to tell the dead control plane about it."""


@dataclass
class Snapshot:
    """What stood in the database at one time."""

    search: Search
    trials: list[Trial]
    steps: list[tuple[str, str, str]]


@dataclass
class Aftermath:
    folder: Path
    at_death: dict[tuple[str, str], Snapshot] = field(default_factory=dict)
    at_end: dict[tuple[str, str], Snapshot] = field(default_factory=dict)

    def steps(self, case: tuple[str, str]) -> list[tuple[str, str, str]]:
        return lines_of(self.folder / "steps.log", seed_of(case))


def seed_of(case: tuple[str, str]) -> int:
    return CASES.index(case) + 1


def name_of(case: tuple[str, str]) -> str:
    return f"search-{seed_of(case)}"


def drive(folder: Path, **what: Any) -> int:
    """Run the driver program to its end, whatever that is; returns its exit status."""
    orders = {"victim": "", "moment": "", "deaths": [], **what}
    with (folder / "driver.log").open("a") as log:
        finished = subprocess.run(
            [sys.executable, "-m", "tests.e2e.mortal_driver", str(folder), json.dumps(orders)],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            check=False,
            timeout=400,
            start_new_session=True,
        )
    return finished.returncode


def look(folder: Path, case: tuple[str, str]) -> Snapshot:
    database = open_folder(folder)
    with database.reader() as uow:
        trials = list(uow.trials.of_search(name_of(case)))
        snapshot = Snapshot(uow.searches.get(name_of(case)), trials, lines_of(folder / "steps.log", seed_of(case)))
    database.close()
    return snapshot


def survivors(folder: Path, case: tuple[str, str]) -> list[int]:
    """Descendants of a killed driver that are still there when they had time to notice."""
    recorded = json.loads((folder / f"descendants-{seed_of(case)}.json").read_text())
    until = time.monotonic() + LONGEST_FAREWELL_S
    while (alive := [pid for pid, born in recorded if _is_alive(pid, born)]) and time.monotonic() < until:
        time.sleep(0.2)
    return alive


def _is_alive(pid: int, born: float) -> bool:
    try:
        process = psutil.Process(pid)
        return process.create_time() == born and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    story = Aftermath(tmp_path_factory.mktemp("faults"))
    teacher = make_teacher(story.folder / "teacher")
    database = open_folder(story.folder)
    with database.unit_of_work() as uow:
        for case in CASES:
            parallelism = 2 if case[0] == "everything" else 1
            search = a_tiny_search(name_of(case), teacher, seed=seed_of(case), trials=TRIALS, parallelism=parallelism)
            uow.searches.add(search)
        uow.commit()
    database.close()

    def kill_and_look(case: tuple[str, str]) -> None:
        died = drive(story.folder, searches=[name_of(case)], victim=case[0], moment=case[1])
        assert died == -signal.SIGKILL, (story.folder / "driver.log").read_text()
        story.at_death[case] = look(story.folder, case)

    def finish(cases: list[tuple[str, str]]) -> None:
        deaths = [(seed_of(case), case[1]) for case in cases if case[0] == "worker"]
        ended = drive(story.folder, searches=[name_of(case) for case in cases], deaths=deaths)
        assert ended == 0, (story.folder / "driver.log").read_text()

    with ThreadPoolExecutor(2) as side_by_side:  # they wait more than they compute
        list(side_by_side.map(kill_and_look, [case for case in CASES if case[0] != "worker"]))
        list(side_by_side.map(finish, [CASES[::2], CASES[1::2]]))
    for case in CASES:
        story.at_end[case] = look(story.folder, case)
    return story


@pytest.mark.parametrize("case", CASES, ids=" - ".join)
def test_the_same_search_finishes_with_its_budget_met_exactly(aftermath: Aftermath, case: tuple[str, str]) -> None:
    end = aftermath.at_end[case]
    assert end.search.status is SearchStatus.COMPLETED
    assert [trial.number for trial in end.trials] == list(range(TRIALS))
    assert {trial.status for trial in end.trials} == {TrialStatus.COMPLETED}
    assert len({trial.architecture.digest for trial in end.trials}) == TRIALS
    assert all("noise_mse" in trial.evaluation.metrics for trial in end.trials)


@pytest.mark.parametrize("case", CASES, ids=" - ".join)
def test_no_architecture_is_evaluated_and_no_block_distilled_twice(
    aftermath: Aftermath, case: tuple[str, str]
) -> None:
    steps = aftermath.steps(case)
    done = Counter(key for step, kind, key in steps if step == "done" and kind in ("evaluate", "distill"))
    assert set(done.values()) == {1}
    evaluated = {key for _, kind, key in steps if kind == "evaluate"}
    assert len(evaluated) == TRIALS
    distilled = {key for _, kind, key in steps if kind == "distill"}
    assert len(distilled) == sum(len(SPACE.get(stage, ("teacher",))) for stage in STAGES)


@pytest.mark.parametrize("case", [case for case in CASES if case[0] != "worker"], ids=" - ".join)
def test_no_accepted_result_is_lost_and_a_killed_driver_costs_no_attempt(
    aftermath: Aftermath, case: tuple[str, str]
) -> None:
    before = {trial.number: trial for trial in aftermath.at_death[case].trials}
    after = {trial.number: trial for trial in aftermath.at_end[case].trials}
    for number, trial in before.items():
        assert after[number].architecture == trial.architecture
        if trial.status is TrialStatus.COMPLETED:
            assert after[number] == trial
    assert not any(attempt.failure for trial in after.values() for attempt in trial.attempts)


@pytest.mark.parametrize("case", [case for case in CASES if case[0] != "worker"], ids=" - ".join)
def test_the_kill_came_at_the_moment_it_was_meant_for(aftermath: Aftermath, case: tuple[str, str]) -> None:
    death = aftermath.at_death[case]
    running = [trial for trial in death.trials if trial.status is TrialStatus.RUNNING]
    if case[1] == MOMENTS[0]:
        assert death.search.status is SearchStatus.PREPARING
        assert death.trials == []
    else:
        assert death.search.status is SearchStatus.RUNNING
        assert running
    if case[1] == MOMENTS[2]:
        answered = {key for step, kind, key in death.steps if (step, kind) == ("done", "evaluate")}
        recorded = sum(trial.status is TrialStatus.COMPLETED for trial in death.trials)
        assert recorded < len(answered)
        later = aftermath.steps(case)[len(death.steps) :]
        assert not answered & {key for step, kind, key in later if (step, kind) == ("begun", "evaluate")}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_worker_costs_its_job_one_attempt_at_most(aftermath: Aftermath, moment: str) -> None:
    case = ("worker", moment)
    assert (aftermath.folder / f"died-{seed_of(case)}").exists()
    failures = [
        attempt.failure
        for trial in aftermath.at_end[case].trials
        for attempt in trial.attempts
        if attempt.failure is not None
    ]
    assert [failure.code for failure in failures] == ([] if moment == MOMENTS[0] else ["worker_lost"])


@pytest.mark.parametrize("case", [case for case in CASES if case[0] != "worker"], ids=" - ".join)
def test_a_killed_driver_leaves_no_process_behind(aftermath: Aftermath, case: tuple[str, str]) -> None:
    assert survivors(aftermath.folder, case) == []
