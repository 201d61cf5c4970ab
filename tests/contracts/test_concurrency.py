"""Many threads and processes at once: exactly one wins, nothing is lost, nothing comes twice."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from nas.domain.lifecycle import TrialStatus
from storage.unit_of_work import Database
from tests.storage import processes
from tests.storage.databases import AnyDatabase, address_of
from tests.storage.values import a_search, a_trial

T = TypeVar("T")


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """Results of `act(0)` ... `act(count - 1)`, begun together in threads of their own."""
    start = threading.Barrier(count)

    def begin(number: int) -> T:
        start.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def in_processes(count: int, target: Callable[..., None], *arguments: object) -> list[Any]:
    """What `count` fresh processes report."""
    pipes = [processes.fresh_processes.Pipe(duplex=False) for _ in range(count)]
    running = [processes.fresh_processes.Process(target=target, args=(*arguments, end)) for _, end in pipes]
    for process in running:
        process.start()
    reports = [receiver.recv() if receiver.poll(60) else "no answer" for receiver, _ in pipes]
    for process in running:
        process.join(10)
        assert process.exitcode == 0
    return reports


def test_only_one_of_two_claims_wins(searched: AnyDatabase) -> None:
    with searched.unit_of_work() as work:
        for number in range(10):
            work.trials.add(a_trial(number))
        work.commit()

    for number in range(10):

        def claim(claimant: int, number: int = number) -> bool:
            running = a_trial(number).become(TrialStatus.RUNNING, origin=f"claimant {claimant}")
            with searched.unit_of_work() as work:
                won = work.trials.replace(TrialStatus.CANDIDATE, running)
                work.commit()
            return won

        outcomes = at_once(2, claim)
        assert sorted(outcomes) == [False, True]
        with searched.reader() as view:
            assert view.trials.get("alpha", number).origin == f"claimant {outcomes.index(True)}"


def test_only_one_of_many_gets_a_free_lease(database: AnyDatabase) -> None:
    def acquire(number: int) -> int | None:
        with database.unit_of_work() as work:
            token = work.leases.acquire("alpha", f"holder {number}", 60)
            work.commit()
        return token

    assert sorted(token for token in at_once(8, acquire) if token is not None) == [1]


def test_a_change_is_never_older_than_an_event_seen_before_it(shared: Database) -> None:
    def append() -> None:
        with shared.unit_of_work() as work:
            work.events.append("alpha", "bounds", "{}", 0.0)
            work.commit()

    with ThreadPoolExecutor(1) as pool:
        with shared.unit_of_work() as work:
            work.trials.add(a_trial(1))
            appended = pool.submit(append)
            with pytest.raises(TimeoutError):  # it has to wait: its event must come after this trial's
                appended.result(0.2)
            with shared.reader() as view:
                seen = view.events.last("alpha")
            work.events.append("alpha", "trial", "{}", 0.0)
            work.commit()
        appended.result(10)
    with shared.reader() as view:
        assert [trial.number for trial in view.trials.changed_after("alpha", seen)] == [1]
        assert [event[1] for event in view.events.after("alpha", 0, 9)] == ["trial", "bounds"]


def test_versions_of_bounds_stay_gapless_when_many_move_them(searched: AnyDatabase) -> None:
    def move(number: int) -> list[int]:
        versions = []
        for _ in range(3):
            with searched.unit_of_work() as work:
                versions.append(work.searches.add_bounds("alpha", a_search().problem, f"user {number}", 0.0))
                work.commit()
        return versions

    assert sorted(itertools.chain(*at_once(4, move))) == list(range(1, 13))


def test_event_ids_stay_gapless_when_many_append(searched: AnyDatabase) -> None:
    def append(number: int) -> list[int]:
        ids = []
        for turn in range(15):
            with searched.unit_of_work() as work:
                event = work.events.append("alpha", f"writer {number}", "{}", 0.0)
                if turn % 3 == 0:
                    continue  # rolled back: its id goes to somebody else
                work.commit()
                ids.append(event)
        return ids

    kept = sorted(event for ids in at_once(4, append) for event in ids)
    assert kept == list(range(1, 41))
    with searched.reader() as view:
        assert [event[0] for event in view.events.after("alpha", 0, 100)] == kept


def test_a_fence_in_the_same_transaction_keeps_a_new_holder_out_until_the_commit(shared: Database) -> None:
    with shared.unit_of_work() as work:
        token = work.leases.acquire("alpha", "old", 0.01)
        work.commit()
    assert token is not None
    outcome: list[int | None] = []

    def take_over() -> None:
        with shared.unit_of_work() as work:
            outcome.append(work.leases.acquire("alpha", "new", 60))
            work.commit()

    with shared.unit_of_work() as work:
        assert work.leases.renew("alpha", token, 60)
        usurper = threading.Thread(target=take_over)
        usurper.start()
        usurper.join(0.3)
        assert usurper.is_alive(), "it has to wait for the fenced transaction"
        work.trials.add(a_trial(0))
        work.commit()
    usurper.join(30)
    assert outcome == [None]


def test_eight_processes_with_twenty_trials_each_make_exactly_160(shared: Database) -> None:
    assert in_processes(8, processes.add_trials, address_of(shared), 20) == [20] * 8
    with shared.reader() as view:
        trials = view.trials.of_search("alpha")
        assert [trial.number for trial in trials] == list(range(160))
        assert len({trial.architecture.digest for trial in trials}) == 160
        assert [event[0] for event in view.events.after("alpha", 0, 1000)] == list(range(1, 161))


def test_each_trial_is_claimed_by_exactly_one_process(shared: Database) -> None:
    with shared.unit_of_work() as work:
        for number in range(40):
            work.trials.add(a_trial(number))
        work.commit()
    claimed = in_processes(4, processes.claim, address_of(shared), 40)
    assert sorted(number for numbers in claimed for number in numbers) == list(range(40))


def test_a_writer_killed_in_the_middle_leaves_what_it_committed_and_no_lock(shared: Database) -> None:
    receiver, sender = processes.fresh_processes.Pipe(duplex=False)
    writer = processes.fresh_processes.Process(target=processes.write_until_killed, args=(address_of(shared), sender))
    writer.start()
    assert receiver.poll(60)
    assert receiver.recv() == "writing"
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join(10)
    with shared.unit_of_work() as work:
        assert [trial.number for trial in work.trials.of_search("alpha")] == [0]
        work.trials.add(a_trial(1))
        assert work.events.append("alpha", "after", "{}", 0.0) == 1
        work.commit()
    if shared.engine.dialect.name == "sqlite":
        with shared.reader(), shared.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_many_processes_migrate_one_fresh_database(kind: str, tmp_path: Any) -> None:
    from storage.unit_of_work import open_database
    from tests.storage.databases import fresh_address
    from tests.storage.values import a_search

    address = fresh_address(kind, tmp_path)
    assert in_processes(6, processes.migrate, address) == ["migrated"] * 6
    database = open_database(address)
    with database.unit_of_work() as work:
        work.searches.add(a_search())
        work.commit()
    database.close()
