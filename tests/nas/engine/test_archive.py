"""Trials with a verdict come out of the archive as they went in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nas.domain.architecture import Architecture
from nas.domain.job import Evaluation, Failure
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import Measurement
from nas.domain.trial import Attempt, Trial
from nas.domain.value import FrozenDict
from nas.engine.archive import Archive

NAMES = st.text(max_size=8)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
FAILURES = st.none() | st.builds(Failure, code=NAMES, message=st.text(max_size=40), transient=st.booleans())
EVALUATIONS = st.none() | st.builds(
    Evaluation,
    metrics=st.dictionaries(NAMES, st.builds(Measurement, mean=NUMBERS), max_size=4).map(FrozenDict),
    share=st.sampled_from((1.0, 0.25)),
)
TRIALS = st.lists(
    st.builds(
        Trial,
        search=NAMES,
        number=st.integers(0, 2**40),
        architecture=st.builds(Architecture, choices=st.dictionaries(NAMES, NAMES, max_size=6).map(FrozenDict)),
        origin=NAMES,
        bounds_version=st.integers(0, 9),
        status=st.sampled_from([status for status in TrialStatus if status.is_terminal]),
        attempts=st.lists(st.builds(Attempt, started_at=NUMBERS, failure=FAILURES), max_size=2).map(tuple),
        evaluation=EVALUATIONS,
        failure=FAILURES,
        created_at=NUMBERS,
    ),
    max_size=5,
    unique_by=lambda trial: trial.number,
)


@given(TRIALS, st.data())
def test_nothing_is_left_out(trials: list[Trial], data: st.DataObject) -> None:
    archive = Archive()
    for trial in trials:
        archive.add(trial)
    assert len(archive) == len(trials)
    assert list(archive.trials()) == trials
    start, stop = data.draw(st.integers(0, 6)), data.draw(st.integers(0, 6))
    assert list(archive.trials(start, stop)) == trials[start:stop]
    some = {trial.number for trial in trials[:start]}
    assert archive.numbered(some) == trials[:start]
    assert list(archive.without(some).trials()) == trials[start:]
