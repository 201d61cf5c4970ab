"""The search loop: rebuilds everything from rows, then repeats one small step until the search ends."""

from __future__ import annotations

import logging
import os
import socket
import uuid
from dataclasses import dataclass

from nas.domain.job import EvaluateArchitecture, Failure, Job, MeasureNetwork, Outcome
from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.search import Search
from nas.engine.events import EngineEvent, Observer, unobserved
from nas.engine.flights import Flights
from nas.engine.front_phase import FrontPhase
from nas.engine.lease import Lease
from nas.engine.ledger import Ledger, fenced
from nas.engine.library_phase import LibraryPhase
from nas.engine.trial_phase import MakeStrategy, TrialPhase
from nas.engine.verdicts import LOST_WEIGHTS, backoff_s, reopen
from nas.errors import Conflict, NasError, TransientError
from nas.ports import Clock, JobBackend, OpenUnitOfWork

log = logging.getLogger(__name__)

MOST_HICCUPS = 5
"""Steps in a row that may be lost to a database that is away, before the driver gives up."""

PAUSABLE = (SearchStatus.CREATED, SearchStatus.PREPARING, SearchStatus.RUNNING)


@dataclass(frozen=True)
class Pace:
    """How fast the loop turns.

    Attributes:
        poll_s: Longest wait for an answer before intent and budget are read again.
        lease_ttl_s: After this long without a sign of life, another process may drive the search.
        patience_s: How long a new driver waits for a dead one's lease to expire.
        account_s: How often running time is written down; a killed driver forgets at most this much.
    """

    poll_s: float = 0.5
    lease_ttl_s: float = 15.0
    patience_s: float = 0.0
    account_s: float = 5.0


class SearchLoop:
    """Drives one search: the only writer of its facts while it holds the lease.

    Not thread-safe: one thread calls `recover`, then `tick`.

    Args:
        search_id: The search to drive.
        stages: Every stage of its teacher, searched or not, in order of execution.
        make_strategy: Makes the strategy once the space is priced.
        observe: Hears of every event after it is durable.
        holder: Who drives, unique per process; host, process and a random part by default.
    """

    def __init__(
        self,
        search_id: str,
        stages: tuple[str, ...],
        *,
        open_unit_of_work: OpenUnitOfWork,
        backend: JobBackend,
        clock: Clock,
        make_strategy: MakeStrategy,
        observe: Observer = unobserved,
        pace: Pace = Pace(),
        holder: str = "",
    ) -> None:
        holder = holder or f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._id = search_id
        self._stages = stages
        self._backend = backend
        self._clock = clock
        self._make_strategy = make_strategy
        self._pace = pace
        self._lease = Lease(open_unit_of_work, clock, search_id, holder, pace.lease_ttl_s)
        self._open = fenced(open_unit_of_work, clock, self._lease, search_id, self._notice)
        self._observe = observe
        self._stirred = True
        self._hiccups = 0
        self._since = clock.now()

    def run(self) -> SearchStatus:
        """Drive the search until it ends or is paused; returns where it stands.

        Raises:
            Conflict: If another process drives it, or took it over.
        """
        self.recover()
        try:
            with self._lease.beating():
                while not (status := self._turn()).is_terminal and status is not SearchStatus.PAUSED:
                    pass
            return status
        finally:
            self.stop()

    def recover(self) -> None:
        """Take the lease and make candidates of what ran under a dead driver.

        Raises:
            NotFound: If there is no such search.
            Conflict: If another process drives it.
        """
        self._lease.acquire(self._pace.patience_s)
        try:
            with self._open() as ledger:
                search = ledger.uow.searches.get(self._id)
                reopen(ledger.uow, self._id)
        except NasError:
            self._lease.release()
            raise
        self._since = self._clock.now()
        self._flights = Flights(self._backend, self._clock, search.spec.max_attempts)
        self._library = LibraryPhase(search, self._stages, self._open, self._flights)
        self._front = FrontPhase(self._open, self._flights)
        self._trials: TrialPhase | None = None

    def tick(self) -> SearchStatus:
        """One step: record what arrived, then do the next thing; returns where the search stands.

        Waits up to `Pace.poll_s`, and only when the previous step changed nothing.

        Raises:
            Conflict: If the lease was lost; nothing was written since.
        """
        answers = self._flights.collect(0.0 if self._stirred else self._pace.poll_s)
        self._stirred = False
        under_way = len(self._flights)
        with self._open() as ledger:
            search = ledger.uow.searches.get(self._id)
            for job, outcome in answers:
                self._accept(ledger, search, job, outcome)
            search = self._account(ledger, search)
        try:
            status = self._advance(search)
        except (Conflict, TransientError):
            raise
        except NasError as error:
            failure = Failure(code=error.code, message=str(error), transient=False)
            status = self._end(SearchStatus.FAILED, failure)
        self._stirred = self._stirred or len(self._flights) != under_way
        return status

    def _turn(self) -> SearchStatus:
        """One step; what a database that was briefly away left undone is rebuilt from rows."""
        while True:
            try:
                if self._hiccups:
                    self.recover()
                status = self.tick()
            except TransientError as error:
                self._hiccups += 1
                if self._hiccups > MOST_HICCUPS:
                    raise
                log.warning("A step of search %s is repeated: %s", self._id, error)
                self._flights.stop()
                self._clock.sleep(backoff_s(self._hiccups))
            else:
                self._hiccups = 0
                return status

    def stop(self) -> None:
        """Take back what is under way and give up the lease; rows stay as they are."""
        self._flights.stop()
        self._lease.release()

    def _accept(self, ledger: Ledger, search: Search, job: Job, outcome: Outcome) -> None:
        match job.payload:
            case EvaluateArchitecture():
                assert self._trials is not None
                self._trials.accept(ledger, search, job, outcome)
                if outcome.failure is not None and outcome.failure.code in LOST_WEIGHTS:
                    self._library.doubt(job.payload.architecture)
            case MeasureNetwork():
                self._front.accept(ledger, outcome)
            case _:
                self._library.accept(ledger, job, outcome)

    def _advance(self, search: Search) -> SearchStatus:
        status = search.status
        if status.is_terminal:
            return status
        if search.intent is Intent.CANCEL:
            return self._end(SearchStatus.CANCELLED)
        if search.intent is Intent.PAUSE and status in (*PAUSABLE, SearchStatus.PAUSED):
            return self._pause(status)
        if status in (SearchStatus.CREATED, SearchStatus.PAUSED):
            return self._step(SearchStatus.PREPARING)
        if self._trials is None:
            return self._prepare(search)
        if status is SearchStatus.PREPARING:
            return self._step(SearchStatus.RUNNING)
        if self._library.lacks_work:
            return self._prepare(search)
        phase = self._try if status is SearchStatus.RUNNING else self._drain
        return phase(search, self._trials)

    def _prepare(self, search: Search) -> SearchStatus:
        library = self._library
        library.advance(search)
        if library.failure is not None:
            return self._end(SearchStatus.FAILED, library.failure)
        if library.costs is not None:
            costs = library.costs
            self._trials = self._trials or TrialPhase(costs, self._open, self._flights, self._make_strategy)
            self._stirred = True
        elif search.status is SearchStatus.PREPARING and library.lacks_work and self._is_over_time(search):
            message = "The wall time was over before the block library was complete. Submit it again with more."
            return self._end(SearchStatus.FAILED, Failure(code="wall_time_over", message=message, transient=False))
        return search.status

    def _try(self, search: Search, phase: TrialPhase) -> SearchStatus:
        is_over_time = self._is_over_time(search)
        if len(self._flights) >= search.spec.parallelism and not is_over_time:
            return search.status
        with self._open() as ledger:
            trials = list(ledger.uow.trials.of_search(self._id))
        if len(trials) >= search.spec.budget.trials or phase.exhausted or is_over_time:
            return self._step(SearchStatus.DRAINING)
        phase.propose(search, trials)
        phase.dispatch(search)
        return search.status

    def _drain(self, search: Search, phase: TrialPhase) -> SearchStatus:
        if self._is_over_time(search):
            with self._open() as ledger:
                _cancel(ledger, self._id, TrialStatus.CANDIDATE)
        phase.dispatch(search)
        with self._open() as ledger:
            waiting = ledger.uow.trials.of_search(self._id, TrialStatus.CANDIDATE, TrialStatus.RUNNING)
        if waiting or not self._front.advance(search):
            return search.status
        return self._end(SearchStatus.COMPLETED)

    def _pause(self, status: SearchStatus) -> SearchStatus:
        if status is SearchStatus.PAUSED or len(self._flights):
            return status
        return self._step(SearchStatus.PAUSED)

    def _step(self, status: SearchStatus) -> SearchStatus:
        with self._open() as ledger:
            self._become(ledger, ledger.uow.searches.get(self._id), status)
        return status

    def _end(self, status: SearchStatus, failure: Failure | None = None) -> SearchStatus:
        self._flights.stop()
        with self._open() as ledger:
            _cancel(ledger, self._id, TrialStatus.CANDIDATE, TrialStatus.RUNNING)
            self._become(ledger, ledger.uow.searches.get(self._id), status, failure)
        return status

    def _become(self, ledger: Ledger, search: Search, status: SearchStatus, failure: Failure | None = None) -> None:
        after = search.become(status, ran_s=self._ran_s(search), failure=failure)
        self._since = self._clock.now()
        if not ledger.uow.searches.replace(search.status, after):
            raise Conflict(f"Search {self._id!r} was changed by somebody else.", "Read it again.")
        ledger.tell_search(after)

    def _account(self, ledger: Ledger, search: Search) -> Search:
        """Write down the running time now and then."""
        idle = search.status.is_terminal or search.status is SearchStatus.PAUSED
        if idle or self._clock.now() - self._since < self._pace.account_s:
            return search
        after: Search = search.evolve(ran_s=self._ran_s(search))
        self._since = self._clock.now()
        ledger.uow.searches.replace(search.status, after)
        return after

    def _ran_s(self, search: Search) -> float:
        running = 0.0 if search.status is SearchStatus.PAUSED else self._clock.now() - self._since
        return search.ran_s + max(0.0, running)

    def _is_over_time(self, search: Search) -> bool:
        limit = search.spec.budget.wall_time_s
        return limit is not None and self._ran_s(search) >= limit

    def _notice(self, event: EngineEvent) -> None:
        self._stirred = True
        self._observe(event)


def _cancel(ledger: Ledger, search_id: str, *statuses: TrialStatus) -> None:
    for trial in ledger.uow.trials.of_search(search_id, *statuses):
        after = trial.become(TrialStatus.CANCELLED)
        if ledger.uow.trials.replace(trial.status, after):
            ledger.tell_trial(after)
