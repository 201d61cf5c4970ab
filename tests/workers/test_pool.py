"""Sharing workers between searches: fairly, within bounds, and each job once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from nas.domain.job import Job
from tests.fakes.workers import ObedientWorkers
from tests.waiting import until
from tests.workers.deeds import a_job
from workers.pool import MOST_LOSSES, Pool, PoolClient


@pytest.fixture
def workers() -> ObedientWorkers:
    return ObedientWorkers()


@pytest.fixture
def pool(workers: ObedientWorkers) -> Iterator[Pool]:
    pool = Pool(workers, now=lambda: workers.seconds)
    yield pool
    pool.close()


def ask(client: PoolClient, count: int, **given: float) -> list[Job]:
    jobs = [a_job("name", f"{client.name} {number}", **given) for number in range(count)]
    for job in jobs:
        client.submit(job)
    return jobs


def serve(workers: ObedientWorkers, pool: Pool, count: int) -> Counter[str]:
    """Finish jobs one by one; returns how many of the next `count` each client was given."""
    served: Counter[str] = Counter()
    for _ in range(count):
        before = len(workers.order)
        done = workers.finish()
        served[done.payload.variant.split()[0]] += 1
        until(lambda before=before: len(workers.order) > before or pool.queued == 0)
    return served


def test_jobs_beyond_the_slots_wait_their_turn(pool: Pool, workers: ObedientWorkers) -> None:
    jobs = ask(pool.client("a", "p", 16), 5)
    assert workers.order == jobs[:2]
    assert (pool.busy, pool.queued) == (2, 3)
    workers.finish()
    until(lambda: workers.order == jobs[:3])


def test_two_searches_of_a_project_get_the_same(pool: Pool, workers: ObedientWorkers) -> None:
    a, b = pool.client("a", "p", 16), pool.client("b", "p", 16)
    ask(a, 40)
    ask(b, 40)
    serve(workers, pool, 4)
    assert serve(workers, pool, 20) == {"a": 10, "b": 10}


def test_an_answer_that_was_late_to_be_seen_is_charged_what_its_job_worked(
    pool: Pool, workers: ObedientWorkers
) -> None:
    workers.slots = 1.0
    early = pool.client("early", "p", 16)
    ask(early, 22)
    workers.seconds += 100.0  # the whole process stood still
    late = pool.client("late", "p", 16)
    ask(late, 22)
    serve(workers, pool, 4)
    assert serve(workers, pool, 20) == {"early": 10, "late": 10}


def test_a_project_with_one_search_gets_as_much_as_one_with_four(pool: Pool, workers: ObedientWorkers) -> None:
    crowd = [pool.client(name, "many", 16) for name in "abcd"]
    alone = pool.client("z", "one", 16)
    for client in crowd:
        ask(client, 40)
    ask(alone, 40)
    serve(workers, pool, 8)
    served = serve(workers, pool, 40)
    assert served["z"] == 20
    assert {served[name] for name in "abcd"} == {5}


def test_what_one_cannot_use_goes_to_the_others(pool: Pool, workers: ObedientWorkers) -> None:
    a, b = pool.client("a", "p", 1), pool.client("b", "q", 16)
    ask(a, 5)
    ask(b, 5)
    assert len(workers.order) == 2
    workers.slots = 8.0
    workers.look_again()
    until(lambda: len(workers.at_work) == 6)
    assert Counter(job.payload.variant[0] for job in workers.at_work.values()) == {"a": 1, "b": 5}


def test_nobody_exceeds_a_parallelism_or_a_quota(pool: Pool, workers: ObedientWorkers) -> None:
    workers.slots = 100.0
    pool.set_quota("p", 3)
    a, b, c = pool.client("a", "p", 2), pool.client("b", "p", 16), pool.client("c", "q", 16)
    for client in (a, b, c):
        ask(client, 10)
    running = Counter(job.payload.variant[0] for job in workers.at_work.values())
    assert running["a"] <= 2
    assert running["a"] + running["b"] == 3
    assert running["c"] == 10


def test_a_quota_of_nothing_starts_nothing_until_it_is_lifted(pool: Pool, workers: ObedientWorkers) -> None:
    pool.set_quota("p", 0)
    ask(pool.client("a", "p", 2), 1)
    assert workers.order == []
    pool.set_quota("p", 1)
    assert len(workers.order) == 1


def test_the_same_job_of_two_searches_runs_once_and_answers_both(pool: Pool, workers: ObedientWorkers) -> None:
    a, b = pool.client("a", "p", 2), pool.client("b", "q", 2)
    shared = a_job("name", "shared")
    a.submit(shared)
    b.submit(shared.evolve(search="b"))
    assert len(workers.order) == 1
    workers.finish()
    assert [outcome.key for outcome in a.poll(5.0)] == [outcome.key for outcome in b.poll(5.0)] == [shared.key]
    assert pool.busy == 0


def test_the_same_job_waiting_twice_runs_once(pool: Pool, workers: ObedientWorkers) -> None:
    workers.slots = 0.0
    a, b = pool.client("a", "p", 2), pool.client("b", "q", 2)
    shared = a_job("name", "shared")
    a.submit(shared)
    b.submit(shared)
    workers.slots = 2.0
    workers.look_again()
    until(lambda: len(workers.order) == 1)
    assert pool.queued == 0
    workers.finish()
    assert a.poll(5.0)
    assert b.poll(5.0)


def test_a_job_goes_on_while_anybody_waits_for_it(pool: Pool, workers: ObedientWorkers) -> None:
    a, b = pool.client("a", "p", 2), pool.client("b", "q", 2)
    shared = a_job("name", "shared")
    a.submit(shared)
    b.submit(shared)
    a.close()
    assert workers.cancelled == []
    b.cancel(shared.key)
    assert workers.cancelled == [shared.key]
    assert pool.busy == 0


def test_a_client_that_leaves_frees_its_workers(pool: Pool, workers: ObedientWorkers) -> None:
    a, b = pool.client("a", "p", 16), pool.client("b", "p", 16)
    mine = ask(a, 5)
    theirs = ask(b, 2)
    a.close()
    assert set(workers.cancelled) == {job.key for job in mine[:2]}
    assert list(workers.at_work) == [job.key for job in theirs]


def test_withdrawing_takes_back_what_waits_and_leaves_what_runs(pool: Pool, workers: ObedientWorkers) -> None:
    a = pool.client("a", "p", 16)
    jobs = ask(a, 5)
    assert a.withdraw() == [job.key for job in jobs[2:]]
    assert pool.queued == 0
    assert len(workers.at_work) == 2


def test_a_large_job_gets_its_turn(pool: Pool, workers: ObedientWorkers) -> None:
    small, large = pool.client("a", "p", 16), pool.client("b", "q", 16)
    ask(small, 6)
    (job,) = ask(large, 1, cpus=2.0)
    for _ in range(2):
        workers.finish()
    until(lambda: job.key in workers.at_work)
    assert len(workers.at_work) == 1


def test_a_job_larger_than_all_workers_is_handed_over_so_that_they_can_refuse_it(
    pool: Pool, workers: ObedientWorkers
) -> None:
    ask(pool.client("a", "p", 1), 1, cpus=64.0)
    assert len(workers.order) == 1


def test_jobs_whose_workers_were_lost_are_started_again_without_anybody_hearing_of_it(
    pool: Pool, workers: ObedientWorkers
) -> None:
    a = pool.client("a", "p", 16)
    jobs = ask(a, 3)
    workers.lose_everything()
    until(lambda: len(workers.order) == 4)
    assert [job.key for job in workers.order[2:]] in ([jobs[0].key, jobs[1].key], [jobs[1].key, jobs[0].key])
    assert a.poll(0.0) == []


def test_a_job_that_loses_all_workers_time_and_again_fails(pool: Pool, workers: ObedientWorkers) -> None:
    a = pool.client("a", "p", 16)
    ask(a, 1)
    for losses in range(1, MOST_LOSSES + 2):
        workers.lose_everything()
        if losses <= MOST_LOSSES:
            until(lambda losses=losses: len(workers.order) == losses + 1)
    (outcome,) = a.poll(5.0)
    assert (outcome.failure.code, outcome.failure.transient) == ("node_lost", True)


def test_a_limit_leaves_the_rest_to_others(pool: Pool, workers: ObedientWorkers) -> None:
    workers.slots = 8.0
    pool.limit(3.0)
    ask(pool.client("a", "p", 16), 10)
    assert len(workers.at_work) == 3
    assert workers.limits == [3.0]
    pool.limit(5.0)
    assert len(workers.at_work) == 5


def test_a_frozen_pool_starts_nothing(pool: Pool, workers: ObedientWorkers) -> None:
    a = pool.client("a", "p", 16)
    ask(a, 4)
    pool.freeze()
    workers.finish()
    assert len(a.poll(5.0)) == 1
    assert len(workers.order) == 2


def test_who_did_not_ask_makes_up_for_nothing(pool: Pool, workers: ObedientWorkers) -> None:
    workers.slots = 1.0
    a, b = pool.client("a", "p", 16), pool.client("b", "p", 16)
    ask(a, 80)
    serve(workers, pool, 20)
    ask(b, 80)
    serve(workers, pool, 2)
    assert serve(workers, pool, 20) == {"a": 10, "b": 10}


def test_a_long_job_that_began_before_anybody_else_asked_is_not_held_against_its_search(
    pool: Pool, workers: ObedientWorkers
) -> None:
    workers.slots = 1.0
    a, b = pool.client("a", "p", 16), pool.client("b", "p", 16)
    ask(a, 40)
    workers.seconds += 100.0
    ask(b, 40)
    workers.finish(seconds=101.0)
    until(lambda: len(workers.order) == 2)
    serve(workers, pool, 2)
    assert serve(workers, pool, 20) == {"a": 10, "b": 10}


def test_a_project_that_did_not_ask_makes_up_for_nothing(pool: Pool, workers: ObedientWorkers) -> None:
    workers.slots = 1.0
    a, b = pool.client("a", "p", 16), pool.client("b", "q", 16)
    ask(b, 1)
    ask(a, 80)
    serve(workers, pool, 20)
    for number in range(80):
        b.submit(a_job("name", f"b more {number}"))
    serve(workers, pool, 2)
    assert serve(workers, pool, 20) == {"a": 10, "b": 10}


def test_who_asks_for_one_job_at_a_time_loses_nothing(pool: Pool, workers: ObedientWorkers) -> None:
    workers.slots = 1.0
    many, single = pool.client("many", "p", 16), pool.client("single", "p", 1)
    ask(many, 80)
    served: Counter[str] = Counter()
    for number in range(40):
        if "single" not in {job.payload.variant.split()[0] for job in workers.at_work.values()}:
            single.submit(a_job("name", f"single {number}"))
        served += serve(workers, pool, 1)
    assert served["single"] == pytest.approx(20, abs=1)


def test_a_newcomer_does_not_make_up_for_the_past(pool: Pool, workers: ObedientWorkers) -> None:
    a = pool.client("a", "p", 16)
    ask(a, 40)
    serve(workers, pool, 10)
    ask(pool.client("b", "p", 16), 40)
    serve(workers, pool, 4)
    served = serve(workers, pool, 20)
    assert served == {"a": 10, "b": 10}


def test_a_job_that_waits_for_its_device_takes_no_core_and_can_be_taken_back(
    pool: Pool, workers: ObedientWorkers
) -> None:
    workers.slots = 1.0
    client, other = pool.client("a", "p", 16), pool.client("b", "p", 16)
    (waiting,) = ask(client, 1)
    workers.waiting.add(waiting.key)
    (job,) = ask(other, 1)
    assert workers.order == [waiting, job]
    assert client.withdraw() == workers.cancelled == [waiting.key]
    assert other.withdraw() == []
