"""What a driver remembers of ten thousand trials."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from nas.domain.architecture import Architecture
from nas.domain.job import Evaluation, Failure
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import EXACT_METRICS, Measurement
from nas.domain.trial import Attempt, Trial
from nas.domain.value import FrozenDict
from nas.engine.history import PAGE, History, every_trial
from nas.engine.verdicts import reopened
from tests.nas.engine.scene import Scene

LOST = Attempt(started_at=1.0, ended_at=2.0, failure=Failure(code="worker_lost", message="gone", transient=True))
METRICS = (
    "params",
    "gmacs",
    "gmacs_without_attention_products",
    "noise_mse",
    "noise_mse_relative",
    "feature_distance",
)


def a_trial(number: int, status: TrialStatus = TrialStatus.COMPLETED, metrics: tuple[str, ...] = METRICS) -> Trial:
    measured = {name: Measurement(mean=number + 0.5, sem=0.1 * number, samples=64) for name in metrics}
    evaluation = Evaluation(
        metrics=FrozenDict(measured), band_noise_mse=(0.25, 0.5), stage_distances=FrozenDict({"E1": 0.125})
    )
    return Trial(
        search="alpha",
        number=number,
        architecture=Architecture(choices=FrozenDict({f"stage {place}": f"R{number}" for place in range(9)})),
        status=status,
        attempts=(LOST, Attempt(started_at=3.0, ended_at=4.0)),
        evaluation=evaluation if status is TrialStatus.COMPLETED else None,
        created_at=float(number),
    )


def test_a_trial_with_a_verdict_is_kept_as_its_row_stands() -> None:
    trials = [a_trial(0), a_trial(1, TrialStatus.FAILED), a_trial(2), a_trial(3, metrics=EXACT_METRICS)]
    assert list(History(trials).verdicts.trials()) == trials


@pytest.mark.parametrize("status", [TrialStatus.CANDIDATE, TrialStatus.RUNNING])
def test_a_pending_trial_is_kept_as_its_row_stands(status: TrialStatus) -> None:
    trial = a_trial(0, status)
    assert History([trial]).pending == History([trial]).of(status) == [trial]


def test_a_screened_trial_may_be_reopened() -> None:
    trials = [a_trial(0), a_trial(1, metrics=EXACT_METRICS)]
    assert History(trials).ruled_out == trials[1:]


def test_a_verdict_that_is_taken_back_makes_another_archive() -> None:
    screened = a_trial(1, metrics=EXACT_METRICS)
    history = History([a_trial(0), screened, a_trial(2)])
    before = history.verdicts
    history.take(reopened(screened))
    assert [trial.number for trial in history.pending] == [1]
    assert [trial.number for trial in before.trials()] == [0, 1, 2]
    after = history.verdicts
    assert [trial.number for trial in after.trials()] == [0, 2]
    history.take(a_trial(1))
    assert history.verdicts is after
    assert [trial.number for trial in after.trials()] == [0, 2, 1]
    assert (len(history), history.pending, history.ruled_out) == (3, [], [])


def test_a_verdict_that_follows_its_taking_back_at_once_is_counted_once() -> None:
    screened = a_trial(0, metrics=EXACT_METRICS)
    history = History([screened])
    history.take(reopened(screened))
    history.take(screened)
    assert (len(history), list(history.verdicts.trials()), history.ruled_out) == (1, [screened], [screened])


def test_an_architecture_is_known_from_its_first_day_to_its_last() -> None:
    trial = a_trial(0, TrialStatus.CANDIDATE)
    history = History([trial])
    history.take(a_trial(0))
    assert trial.architecture.digest in history
    assert a_trial(1).architecture.digest not in history


@pytest.mark.parametrize("status", [status for status in TrialStatus if status.is_terminal])
def test_a_verdict_ends_the_waiting(status: TrialStatus) -> None:
    history = History([a_trial(0, TrialStatus.RUNNING), a_trial(1)])
    history.take(a_trial(0, status))
    assert ([trial.number for trial in history.verdicts.trials()], history.pending) == ([1, 0], [])
    assert len(history) == 2


def test_trials_are_read_page_by_page_without_losing_one() -> None:
    scene = Scene()
    count = 2 * PAGE + 1
    with scene.database.unit_of_work() as uow:
        for number in range(count):
            uow.trials.add(a_trial(number, TrialStatus.CANDIDATE))
        uow.commit()
    with scene.database.reader() as uow:
        assert [trial.number for trial in every_trial(uow.trials, scene.id)] == list(range(count))
        assert list(every_trial(uow.trials, "another")) == []


def test_a_trial_with_a_verdict_weighs_a_quarter_of_a_kilobyte() -> None:
    rows = [a_trial(number).model_dump_json() for number in range(1_000)]
    History(Trial.model_validate_json(row) for row in rows)  # what is made once is made now
    tracemalloc.start()
    try:
        history = History(Trial.model_validate_json(row) for row in rows)
        gc.collect()
        weight = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert weight / len(history) < 300
