"""Last phase of a search: times the assembled networks of the front, one by one."""

from __future__ import annotations

from nas.domain.device import LatencyMeasurement
from nas.domain.job import Job, Outcome
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.engine.archive import Archive
from nas.engine.flights import Flights
from nas.engine.front import front
from nas.engine.history import PAGE, History
from nas.engine.jobs import network_latency_job
from nas.engine.ledger import Ledger
from nas.engine.prepare import keep_result
from nas.ports import OpenUnitOfWork


class FrontPhase:
    """Measures what the search will report. A member that cannot be timed keeps its table price."""

    def __init__(self, history: History, open_reader: OpenUnitOfWork, flights: Flights) -> None:
        self._history = history
        self._read = open_reader
        self._flights = flights
        self._basis: tuple[int, Archive] | None = None
        self._seen = 0
        self._front: list[Trial] = []
        self._members: dict[str, tuple[int, Job]] = {}
        self._given_up: set[str] = set()

    def accept(self, ledger: Ledger, outcome: Outcome) -> None:
        """Keep a measurement, or give a member up after its last attempt."""
        number = self._members[outcome.key][0] if outcome.key in self._members else -1
        if isinstance(outcome.result, LatencyMeasurement):
            keep_result(ledger.uow, outcome.key, outcome.result)
            device, latency_ms = outcome.result.device.name, outcome.result.median_ms
            ledger.tell("latency", {"number": number, "latency_ms": latency_ms, "device": device})
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
                self._flights.submit(key, job.evolve(search=search.id))
        return not missing

    def _missing(self, search: Search) -> dict[str, Job]:
        devices = [timed for timed in search.spec.devices if timed.spec.measure_front]
        if not devices:
            return {}
        if self._advance_front(search):
            self._members = {
                (job := network_latency_job(search.spec, timed.spec, one.architecture)).key: (one.number, job)
                for one in self._front
                for timed in devices
            }
        with self._read() as uow:
            known = {key for key in self._members if uow.library.latency(key) is not None}
        return {key: job for key, (_, job) in self._members.items() if key not in known | self._given_up}

    def _advance_front(self, search: Search) -> bool:
        """Bring the front up to date, page by page; whether there was anything new."""
        verdicts = self._history.verdicts
        basis = (search.bounds_version, verdicts)
        if self._basis == basis and self._seen == len(verdicts):
            return False
        if self._basis != basis:
            self._basis, self._seen, self._front = basis, 0, []
        while self._seen < len(verdicts):
            page = verdicts.trials(self._seen, self._seen + PAGE)
            self._front = front([*self._front, *page], search.problem)
            self._seen = min(self._seen + PAGE, len(verdicts))
        return True
