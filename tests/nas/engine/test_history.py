"""What a driver remembers of ten thousand trials."""

from __future__ import annotations

import tracemalloc

import pytest

from nas.domain.architecture import Architecture
from nas.domain.job import Evaluation, Failure
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import EXACT_METRICS, Measurement
from nas.domain.trial import Attempt, Trial
from nas.domain.value import FrozenDict
from nas.engine.history import PAGE, History, every_trial
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


def test_a_settled_trial_is_kept_with_all_that_strategies_and_the_front_read() -> None:
    trial = a_trial(0)
    (kept,) = History([trial]).trials
    assert kept.architecture is trial.architecture
    assert kept.evaluation is not None
    assert trial.evaluation is not None
    assert kept.evaluation.metrics == trial.evaluation.metrics
    assert (kept.number, kept.status, kept.attempts) == (0, TrialStatus.COMPLETED, ())


@pytest.mark.parametrize("status", [TrialStatus.CANDIDATE, TrialStatus.RUNNING])
def test_a_pending_trial_is_kept_as_its_row_stands(status: TrialStatus) -> None:
    trial = a_trial(0, status)
    assert History([trial]).pending == History([trial]).of(status) == [trial]


def test_a_screened_trial_is_kept_as_its_row_stands_because_it_may_be_reopened() -> None:
    trial = a_trial(0, metrics=EXACT_METRICS)
    history = History([trial])
    assert history.ruled_out == history.finished == [trial]


@pytest.mark.parametrize("status", [status for status in TrialStatus if status.is_terminal])
def test_a_verdict_ends_the_waiting(status: TrialStatus) -> None:
    history = History([a_trial(0, TrialStatus.RUNNING), a_trial(1)])
    history.take(a_trial(0, status))
    assert ([trial.number for trial in history.finished], history.pending) == ([0, 1], [])


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


def test_a_settled_trial_weighs_about_two_kilobytes() -> None:
    rows = [a_trial(number).model_dump_json() for number in range(1_000)]
    History(Trial.model_validate_json(row) for row in rows)  # what is made once is made now
    tracemalloc.start()
    try:
        history = History(Trial.model_validate_json(row) for row in rows)
        weight = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert weight / len(history) < 2_250
