"""What a strategy keeps of trials: columns, by number, whatever the order in which it was told."""

from __future__ import annotations

import random

import numpy as np

from nas.domain.architecture import Architecture
from nas.domain.job import Evaluation
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import Measurement
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.strategy.record import Record
from tests.fakes.landscapes import landscape

SPACE = landscape(0).space


def a_trial(number: int, status: TrialStatus = TrialStatus.COMPLETED, **metrics: float) -> Trial:
    measured = {name: Measurement(mean=value, sem=0.1, samples=8) for name, value in metrics.items()}
    codes = tuple(np.unravel_index(number, SPACE.cardinalities))
    return Trial(
        search="alpha",
        number=number,
        architecture=SPACE.decode(tuple(int(code) for code in codes)),
        status=status,
        evaluation=Evaluation(metrics=FrozenDict(measured), share=0.5 if number == 2 else 1.0) if metrics else None,
    )


TRIALS = [a_trial(0, TrialStatus.FAILED), a_trial(1, noise_mse=0.5), a_trial(2, noise_mse=0.25, latency_ms=3.0)]


def test_every_order_makes_the_same_columns() -> None:
    for seed in range(6):
        told = random.Random(seed).sample(TRIALS, 3)
        record = Record(SPACE)
        for trial in told:
            record.enter(trial)
        columns = record.columns()
        assert columns.numbers.tolist() == [0, 1, 2]
        assert columns.codes.tolist() == [list(SPACE.encode(trial.architecture)) for trial in TRIALS]
        assert columns.hopeless.tolist() == [True, False, False]
        assert columns.rough.tolist() == [False, False, True]
        np.testing.assert_array_equal(columns.measured["noise_mse"][1:], [[0.5, 0.1, 8], [0.25, 0.1, 8]])
        np.testing.assert_array_equal(columns.measured["latency_ms"][:, 0], [np.nan, np.nan, 3.0])


def test_a_verdict_that_is_told_again_changes_nothing() -> None:
    record = Record(SPACE)
    for trial in [*TRIALS, *TRIALS]:
        record.enter(trial)
    assert len(record) == len(record.columns().numbers) == 3


def test_what_is_not_of_the_space_is_left_out() -> None:
    record = Record(SPACE)
    record.enter(TRIALS[1].evolve(architecture=Architecture(choices=FrozenDict({"elsewhere": "R"}))))
    assert len(record) == 0
    assert len(record.tried) == 0
