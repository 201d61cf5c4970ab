from __future__ import annotations

import pytest

from nas.engine.lookahead import Lookahead


def measured(turnaround_s: float, evaluation_s: float) -> Lookahead:
    lookahead = Lookahead()
    for _ in range(30):
        lookahead.note_turnaround(turnaround_s)
        lookahead.note_evaluation(evaluation_s)
    return lookahead


@pytest.mark.parametrize(
    ("turnaround_s", "evaluation_s", "parallelism", "jobs"),
    [
        (0.001, 1.0, 16, 0),  # not worth it
        (0.02, 1.0, 16, 1),
        (0.02, 1.0, 2, 1),
        (0.25, 1.0, 16, 6),  # half as many again: the next thought takes longer
        (1.49, 1.0, 16, 36),
        (30.0, 1.0, 16, 64),  # suggestions cannot keep up; more would only be older
        (3.0, 1.0, 1, 0),  # the same seed gives the same answers
    ],
)
def test_as_many_wait_as_finish_during_one_turnaround(
    turnaround_s: float, evaluation_s: float, parallelism: int, jobs: int
) -> None:
    assert measured(turnaround_s, evaluation_s).jobs(parallelism) == jobs


def test_nothing_is_claimed_ahead_before_anything_was_measured() -> None:
    lookahead = Lookahead()
    lookahead.note_turnaround(10.0)
    assert lookahead.jobs(16) == 0


def test_answers_out_of_a_journal_say_nothing() -> None:
    lookahead = measured(0.02, 1.0)
    for _ in range(100):
        lookahead.note_evaluation(0.0)
    assert lookahead.jobs(16) == 1


def test_the_place_that_was_free_for_longest_tells_the_turnaround() -> None:
    lookahead = Lookahead()
    lookahead.note_evaluation(1.0)
    lookahead.note_vacancy(10.0)
    lookahead.note_vacancy(10.4)
    lookahead.note_filled(0, 10.4)
    assert lookahead.jobs(16) == 0
    lookahead.note_filled(2, 10.5)
    assert lookahead.jobs(16) == 12


def test_places_left_free_on_purpose_say_nothing() -> None:
    lookahead = Lookahead()
    lookahead.note_evaluation(1.0)
    lookahead.note_vacancy(10.0)
    lookahead.forget_vacancies()
    lookahead.note_filled(1, 3_600.0)
    assert lookahead.jobs(16) == 0
