from __future__ import annotations

from nas.domain.job import Failure, Outcome
from nas.engine.flights import Flights
from tests.fakes.backends import SilentBackend
from tests.fakes.clock import FakeClock
from tests.workers.deeds import a_job


def test_answers_that_arrive_together_are_recorded_in_one_order_by_all_drivers() -> None:
    jobs = [a_job("name", f"block {number}") for number in range(6)]
    orders = []
    for arrival in (jobs, jobs[::-1]):
        backend = SilentBackend()
        flights = Flights(backend, FakeClock())
        for job in jobs:
            flights.submit(job.key, job)
        gone = Failure(code="worker_lost", message="The worker process died.", transient=True)
        backend.answers = [Outcome(key=job.key, failure=gone) for job in arrival]
        orders.append([job.key for job, _ in flights.collect(0.0)])
    assert orders[0] == orders[1] == sorted(job.key for job in jobs)
