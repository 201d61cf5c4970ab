"""What every implementation promises of transactions, events and results that are found again."""

from __future__ import annotations

import pytest

from nas.domain.lifecycle import Intent, SearchStatus
from nas.errors import Conflict, NotFound
from tests.storage.databases import AnyDatabase
from tests.storage.values import a_latency, a_search, a_trial, an_entry


def test_the_first_entry_latency_and_evaluation_of_a_key_win(database: AnyDatabase) -> None:
    ugly = '{ "b":1.0,\n"a":  1e400, "text": "\\u0000 ε"}'
    with database.unit_of_work() as work:
        assert work.library.entry("a" * 64) is None
        assert work.library.latency("k") is None
        assert work.evaluations.recall("k") is None
        work.library.add_entry(an_entry())
        work.library.add_entry(an_entry(block_loss=0.75))
        work.library.add_latency("k", a_latency())
        work.library.add_latency("k", a_latency(median_ms=9.0))
        work.evaluations.record("k", ugly)
        work.evaluations.record("k", "{}")
        work.commit()
    with database.reader() as view:
        assert view.library.entry("a" * 64) == an_entry()
        assert view.library.latency("k") == a_latency()
        # more keys than a database takes in one statement
        assert view.library.latencies([*(str(number) for number in range(40_000)), "k"]) == {"k": a_latency()}
        assert view.evaluations.recall("k") == ugly


def test_a_latency_of_another_device_takes_the_place_of_the_old_one(database: AnyDatabase) -> None:
    other = a_latency(median_ms=7.0).evolve(device=a_latency().device.evolve(runtime="onnxruntime 2.0"))
    with database.unit_of_work() as work:
        work.library.add_latency("k", a_latency())
        work.library.add_latency("k", other)
        work.library.add_latency("k", other.evolve(median_ms=8.0))
        work.commit()
    with database.reader() as view:
        assert view.library.latency("k") == other


def test_leaving_without_commit_rolls_everything_back(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        work.searches.add(a_search("beta"))
        work.searches.set_intent("alpha", Intent.CANCEL)
        work.trials.add(a_trial(1))
        work.events.append("alpha", "trial", "{}", 1.0)
        work.library.add_entry(an_entry())
        work.evaluations.record("k", "{}")
        assert work.leases.acquire("alpha", "me", 60) is not None
    with searched.unit_of_work() as work:
        assert [search.id for search in work.searches.list()] == ["alpha"]
        assert work.searches.get("alpha").intent is Intent.RUN
        assert list(work.trials.of_search("alpha")) == []
        assert list(work.events.after("alpha", 0, 10)) == []
        assert work.library.entry("a" * 64) is None
        assert work.evaluations.recall("k") is None
        assert work.leases.acquire("alpha", "you", 60) is not None


def test_an_exception_rolls_back_and_passes_through(searched: AnyDatabase) -> None:
    def fail_halfway() -> None:
        with searched.unit_of_work() as work:
            work.trials.add(a_trial(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    with searched.reader() as view:
        assert list(view.trials.of_search("alpha")) == []


def test_what_follows_a_commit_needs_another_commit(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        work.trials.add(a_trial(1))
        work.commit()
        work.trials.add(a_trial(2))
        work.commit()
        work.trials.add(a_trial(3))
    with searched.reader() as view:
        assert [trial.number for trial in view.trials.of_search("alpha")] == [1, 2]


def test_a_reader_sees_one_snapshot_and_does_not_hold_up_a_writer(searched: AnyDatabase) -> None:
    with searched.reader() as view:
        assert list(view.trials.of_search("alpha")) == []
        with searched.unit_of_work() as work:
            work.trials.add(a_trial(1))
            with searched.reader() as other:
                assert list(other.trials.of_search("alpha")) == []
            work.commit()
        assert list(view.trials.of_search("alpha")) == []
    with searched.reader() as view:
        assert len(view.trials.of_search("alpha")) == 1


def test_a_reader_cannot_write(searched: AnyDatabase) -> None:
    def write() -> None:
        with searched.reader() as view:
            view.trials.add(a_trial(1))
            view.commit()

    with pytest.raises(Conflict, match="reading only"):
        write()
    with searched.unit_of_work() as work:
        assert list(work.trials.of_search("alpha")) == []
        work.trials.add(a_trial(1))
        work.commit()


def test_event_ids_grow_by_one_within_each_search(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        work.searches.add(a_search("beta"))
        assert [work.events.append("alpha", "trial", f'{{"n":{n}}}', n / 2) for n in range(3)] == [1, 2, 3]
        assert work.events.append("beta", "status", "{}", 9.0) == 1
        work.commit()
    with searched.reader() as view:
        assert list(view.events.after("alpha", 1, 10)) == [(2, "trial", '{"n":1}', 0.5), (3, "trial", '{"n":2}', 1.0)]
        assert [event[0] for event in view.events.after("alpha", 0, 2)] == [1, 2]
        assert list(view.events.after("alpha", 3, 10)) == []
        assert list(view.events.after("nobody", 0, 10)) == []


def test_a_rolled_back_event_leaves_no_gap(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        work.events.append("alpha", "lost", "{}", 0.0)
    with searched.unit_of_work() as work:
        assert work.events.append("alpha", "kept", "{}", 0.0) == 1
        work.commit()


def test_an_event_needs_its_search(database: AnyDatabase) -> None:
    with database.unit_of_work() as work, pytest.raises(NotFound):
        work.events.append("alpha", "trial", "{}", 0.0)


def test_replacing_a_search_keeps_its_events_going(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        work.events.append("alpha", "one", "{}", 0.0)
        assert work.searches.replace(SearchStatus.CREATED, a_search().become(SearchStatus.PREPARING))
        assert work.events.append("alpha", "two", "{}", 0.0) == 2
