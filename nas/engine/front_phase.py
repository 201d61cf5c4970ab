"""Last phase of a search: times the assembled networks of the front, one by one."""

from __future__ import annotations

from nas.domain.device import LatencyMeasurement
from nas.domain.job import Job, Outcome
from nas.domain.search import Search
from nas.engine.flights import Flights
from nas.engine.front import front
from nas.engine.jobs import network_latency_job
from nas.engine.ledger import Ledger, OpenLedger
from nas.engine.prepare import keep_result


class FrontPhase:
    """Measures what the search will report. A member that cannot be timed keeps its table price."""

    def __init__(self, open_ledger: OpenLedger, flights: Flights) -> None:
        self._open = open_ledger
        self._flights = flights
        self._given_up: set[str] = set()
        self._numbers: dict[str, int] = {}

    def accept(self, ledger: Ledger, outcome: Outcome) -> None:
        """Keep a measurement, or give a member up after its last attempt."""
        number = self._numbers.get(outcome.key, -1)
        if isinstance(outcome.result, LatencyMeasurement):
            keep_result(ledger.uow, outcome.key, outcome.result)
            ledger.tell("latency", {"number": number, "latency_ms": outcome.result.median_ms})
        elif outcome.failure is not None:
            failure = outcome.failure
            if not self._flights.note_failure(outcome.key, failure):
                self._given_up.add(outcome.key)
            ledger.tell("retry", {"number": number, "code": failure.code, "message": failure.message})

    def advance(self, search: Search) -> bool:
        """Submit the next measurement; whether everything is measured that can be."""
        missing = self._missing(search)
        for key, job in missing.items():
            if not len(self._flights) and self._flights.may_start(key):
                self._flights.submit(key, job)
        return not missing

    def _missing(self, search: Search) -> dict[str, Job]:
        latency = search.spec.latency
        if latency is None or not latency.measure_front:
            return {}
        with self._open() as ledger:
            members = front(ledger.uow.trials.of_search(search.id), search.problem)
            jobs = {
                member.number: network_latency_job(search.spec, latency, member.architecture) for member in members
            }
            self._numbers = {job.key: number for number, job in jobs.items()}
            known = {job.key for job in jobs.values() if ledger.uow.library.latency(job.key) is not None}
        return {job.key: job for job in jobs.values() if job.key not in known | self._given_up}
