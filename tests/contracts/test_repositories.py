"""What every implementation of the repositories promises of searches and trials, whatever stands behind it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nas.domain.architecture import Architecture
from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.value import FrozenDict
from nas.errors import Conflict, NotFound
from tests.storage.databases import AnyDatabase
from tests.storage.values import a_failed_attempt, a_search, a_trial, an_architecture, an_evaluation


def test_a_search_comes_back_as_it_went_in(searched: AnyDatabase) -> None:
    with searched.reader() as view:
        assert view.searches.get("alpha") == a_search()


def test_a_second_search_of_one_id_is_refused_and_the_transaction_lives_on(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        with pytest.raises(Conflict, match="alpha"):
            work.searches.add(a_search(created_at=2.0))
        work.searches.add(a_search("beta"))
        work.commit()
    with searched.reader() as view:
        assert {search.id for search in view.searches.list()} == {"alpha", "beta"}
        assert view.searches.get("alpha").created_at == a_search().created_at


def test_a_refusal_names_no_other_search(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        refusals: list[Callable[[], object]] = [
            lambda: work.searches.get("alhpa"),
            lambda: work.searches.set_intent("alhpa", Intent.PAUSE),
            lambda: work.searches.trash("alhpa", 1.0),
            lambda: work.searches.add_bounds("alhpa", a_search().problem, "me", 1.0),
            lambda: work.trials.add(a_trial(1, "alhpa")),
            lambda: work.events.append("alhpa", "trial", "{}", 1.0),
            lambda: work.events.last("alhpa"),
            lambda: work.library.note_use("alhpa", ["k"]),
        ]
        for refused in refusals:
            with pytest.raises(NotFound, match="alhpa") as caught:
                refused()
            assert "alpha" not in str(caught.value)


def test_searches_are_listed_newest_first(database: AnyDatabase) -> None:
    with database.unit_of_work() as work:
        for search_id, created_at in (("b", 2.0), ("c", 3.0), ("a", 1.0)):
            work.searches.add(a_search(search_id, created_at))
        assert [search.id for search in work.searches.list()] == ["c", "b", "a"]


def test_a_search_is_replaced_only_in_the_expected_status(searched: AnyDatabase) -> None:
    preparing = a_search().become(SearchStatus.PREPARING, ran_s=4.5)
    with searched.unit_of_work() as work:
        assert not work.searches.replace(SearchStatus.RUNNING, preparing)
        assert work.searches.get("alpha") == a_search()
        assert work.searches.replace(SearchStatus.CREATED, preparing)
        assert not work.searches.replace(SearchStatus.CREATED, preparing)
        assert not work.searches.replace(SearchStatus.CREATED, a_search("unknown"))
        work.commit()
    with searched.reader() as view:
        assert view.searches.get("alpha") == preparing


def test_replacing_a_search_keeps_an_intent_written_meanwhile(searched: AnyDatabase) -> None:
    with searched.reader() as view:
        read_before = view.searches.get("alpha")
    with searched.unit_of_work() as work:
        work.searches.set_intent("alpha", Intent.PAUSE)
        work.commit()
    with searched.unit_of_work() as work:
        assert work.searches.replace(SearchStatus.CREATED, read_before.become(SearchStatus.PREPARING))
        work.commit()
    with searched.reader() as view:
        assert view.searches.get("alpha").intent is Intent.PAUSE
        assert view.searches.get("alpha").status is SearchStatus.PREPARING


def test_an_intent_given_at_submission_is_kept(database: AnyDatabase) -> None:
    with database.unit_of_work() as work:
        work.searches.add(a_search().evolve(intent=Intent.PAUSE))
        assert work.searches.get("alpha").intent is Intent.PAUSE


def test_a_trial_comes_back_as_it_went_in(searched: AnyDatabase) -> None:
    trial = a_trial(3).evolve(attempts=(a_failed_attempt(),), evaluation=an_evaluation().evolve(share=0.125))
    with searched.unit_of_work() as work:
        work.trials.add(trial)
        work.commit()
    with searched.reader() as view:
        assert view.trials.get("alpha", 3) == trial


def test_trials_come_in_numerical_order_and_by_status(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        for number in (10, 2, 1):
            work.trials.add(a_trial(number))
        work.trials.replace(TrialStatus.CANDIDATE, a_trial(2).become(TrialStatus.RUNNING))
        work.commit()

    def numbers(*statuses: TrialStatus) -> list[int]:
        with searched.reader() as view:
            return [trial.number for trial in view.trials.of_search("alpha", *statuses)]

    assert numbers() == [1, 2, 10]
    assert numbers(TrialStatus.CANDIDATE) == [1, 10]
    assert numbers(TrialStatus.RUNNING, TrialStatus.CANDIDATE) == [1, 2, 10]
    assert numbers(TrialStatus.FAILED) == []


def test_a_number_or_an_architecture_is_taken_once_in_a_search(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        work.searches.add(a_search("beta"))
        work.trials.add(a_trial(1))
        with pytest.raises(Conflict):
            work.trials.add(a_trial(1, architecture=2))
        with pytest.raises(Conflict):
            work.trials.add(a_trial(2, architecture=1))
        work.trials.add(a_trial(1, "beta"))
        work.trials.add(a_trial(2))
        work.commit()
    with searched.reader() as view:
        assert [trial.number for trial in view.trials.of_search("alpha")] == [1, 2]


def test_architectures_that_differ_in_unlisted_teacher_stages_are_the_same_trial(searched: AnyDatabase) -> None:
    short = Architecture(choices=FrozenDict({"E1": "RA"}))
    long = Architecture(choices=FrozenDict({"E1": "RA", "E2": "teacher"}))
    with searched.unit_of_work() as work:
        work.trials.add(a_trial(1).evolve(architecture=short))
        with pytest.raises(Conflict):
            work.trials.add(a_trial(2).evolve(architecture=long))


def test_a_trial_needs_its_search(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work, pytest.raises(NotFound, match="alpah"):
        work.trials.add(a_trial(1, "alpah"))


def test_an_unknown_trial_says_how_far_the_numbers_go(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        with pytest.raises(NotFound, match="no trials"):
            work.trials.get("alpha", 0)
        work.trials.add(a_trial(7))
        with pytest.raises(NotFound, match="last trial is 7"):
            work.trials.get("alpha", 8)
        assert list(work.trials.of_search("nobody")) == []


def test_a_trial_is_replaced_only_in_the_expected_status(searched: AnyDatabase) -> None:
    running = a_trial(1).become(TrialStatus.RUNNING)
    with searched.unit_of_work() as work:
        work.trials.add(a_trial(1))
        assert not work.trials.replace(TrialStatus.RUNNING, running)
        assert not work.trials.replace(TrialStatus.CANDIDATE, a_trial(2).become(TrialStatus.RUNNING))
        assert work.trials.get("alpha", 1) == a_trial(1)
        assert work.trials.replace(TrialStatus.CANDIDATE, running)
        assert not work.trials.replace(TrialStatus.CANDIDATE, running)
        assert work.trials.get("alpha", 1) == running


def test_a_trial_keeps_its_architecture(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        work.trials.add(a_trial(1))
        other = a_trial(1).evolve(architecture=an_architecture(5), status=TrialStatus.RUNNING)
        assert not work.trials.replace(TrialStatus.CANDIDATE, other)
        assert work.trials.get("alpha", 1) == a_trial(1)


@pytest.mark.parametrize("hostile", ["", "\x00", "\ud800", "'; DROP TABLE searches; --", "x" * 100_000, "%_"])
def test_a_hostile_id_is_simply_not_found(searched: AnyDatabase, hostile: str) -> None:
    with searched.unit_of_work() as work, pytest.raises(NotFound):
        work.searches.get(hostile)
    with searched.unit_of_work() as work, pytest.raises(NotFound):
        work.trials.add(a_trial(1).evolve(search=hostile))
    with searched.reader() as view:
        assert [search.id for search in view.searches.list()] == ["alpha"]


@pytest.mark.parametrize("number", [-1, 2**31, 2**63, 2**80])
def test_an_absurd_number_is_simply_not_found(searched: AnyDatabase, number: int) -> None:
    with searched.unit_of_work() as work, pytest.raises(NotFound):
        work.trials.get("alpha", number)
