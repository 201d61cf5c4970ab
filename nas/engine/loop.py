"""The search loop: rebuilds everything from rows, then repeats one small step until the search ends."""

from __future__ import annotations

import logging
from contextlib import ExitStack

from nas.domain.job import EvaluateArchitecture, Failure, Job, MeasureNetwork, Outcome
from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.search import Search
from nas.engine.advice import MakeStrategy
from nas.engine.events import Observer, unobserved
from nas.engine.flights import Flights
from nas.engine.front_phase import FrontPhase
from nas.engine.history import History, every_trial
from nas.engine.lease import Heart, Lease, unique_holder
from nas.engine.ledger import Ledger, fenced
from nas.engine.library_phase import LibraryPhase
from nas.engine.pace import EVERYDAY, Pace
from nas.engine.standing import Standing, cancel
from nas.engine.trial_phase import TrialPhase
from nas.engine.verdicts import LOST_WEIGHTS, backoff_s, recovered
from nas.errors import Conflict, NasError, TransientError
from nas.ports import Clock, JobBackend, OpenUnitOfWork

log = logging.getLogger(__name__)

PAUSABLE = (SearchStatus.CREATED, SearchStatus.PREPARING, SearchStatus.RUNNING)


class SearchLoop:
    """Drives one search: the only writer of its facts while it holds the lease.

    Not thread-safe, but for `retire`: one thread calls `run`, or `recover` and then `tick`.

    Args:
        search_id: The search to drive.
        stages: Every stage of its teacher, searched or not, in order of execution.
        open_unit_of_work: Opens transactions that may write.
        open_reader: Opens transactions that only read; they wait for no writer.
        make_strategy: Makes the strategy once the space is priced, and anew for each version of the bounds.
        observe: Hears of every event after it is durable.
        holder: Who drives, unique per process; host, process and a random part by default.
        heart: Keeps the lease; one of its own by default.
    """

    def __init__(
        self,
        search_id: str,
        stages: tuple[str, ...],
        *,
        open_unit_of_work: OpenUnitOfWork,
        open_reader: OpenUnitOfWork,
        backend: JobBackend,
        clock: Clock,
        make_strategy: MakeStrategy,
        observe: Observer = unobserved,
        pace: Pace = EVERYDAY,
        holder: str = "",
        heart: Heart | None = None,
    ) -> None:
        self._id = search_id
        self._stages = stages
        self._clock = clock
        self._make_strategy = make_strategy
        self._pace = pace
        self._heart = heart
        self._read = open_reader
        self._write = open_unit_of_work
        self._lease = Lease(open_unit_of_work, clock, search_id, holder or unique_holder(), pace.lease_ttl_s)
        self._open = fenced(open_unit_of_work, clock, self._lease, search_id, self._notice)
        self._observe = observe
        self._standing = Standing(search_id, self._open, clock, pace.account_s)
        self._history = History()
        self._flights = Flights(backend, clock)
        self._is_acquainted = False
        self._trials: TrialPhase | None = None
        self._stirred = True
        self._hiccups = 0
        self._leaves_at: float | None = None

    def run(self) -> SearchStatus:
        """Drive the search until it ends, is paused, or the driver retires; returns where it stands.

        Raises:
            Conflict: If another process drives it, or took it over.
            TransientError: If the database stays away.
        """
        try:
            self.recover()
            with ExitStack() as stack:
                heart = self._heart or stack.enter_context(Heart(self._write, self._pace.lease_ttl_s))
                stack.enter_context(heart.keeping(self._lease))
                while not (status := self._turn()).is_at_rest and not self._has_left():
                    pass
            return status
        finally:
            self.stop()

    def recover(self) -> None:
        """Take the lease, read every row, and make candidates of what ran under a dead driver.

        Jobs that this driver has under way stay under way.

        Raises:
            NotFound: If there is no such search.
            Conflict: If another process drives it.
        """
        self._lease.acquire(self._pace.patience_s)
        try:
            with self._read() as uow:
                search = uow.searches.get(self._id)
                self._history.read_again(every_trial(uow.trials, self._id))
            running = self._history.of(TrialStatus.RUNNING)
            with self._open() as ledger:
                for trial in running:
                    if not self._flights.has_trial(trial.number):
                        ledger.move_trial(trial, recovered(trial), {"how": "recovered"})
        except TransientError:
            raise  # the lease is ours to take again
        except NasError:
            self._lease.release()
            raise
        self._standing.begin()
        if not self._is_acquainted:
            self._flights.max_attempts = search.spec.max_attempts
            self._library = LibraryPhase(search, self._stages, self._open, self._read, self._flights)
            self._front = FrontPhase(self._history, self._read, self._flights)
            self._is_acquainted = True

    def retire(self, patience_s: float) -> None:
        """Have the driver leave: nothing new is begun, what runs may finish for `patience_s`. From any thread."""
        self._leaves_at = min(self._leaves_at or float("inf"), self._clock.now() + patience_s)

    def tick(self) -> SearchStatus:
        """One step: record what arrived, then do the next thing; returns where the search stands.

        Waits up to `Pace.poll_s`, and only when the previous step changed nothing.

        Raises:
            LeaseLost: If somebody else drives the search now; nothing was written since.
        """
        if not self._lease.is_held:
            raise self._lease.loss()
        answers = self._flights.collect(0.0 if self._stirred else self._pace.poll_s)
        self._stirred = False
        under_way = len(self._flights)
        try:
            search = self._record(answers)
        except TransientError:
            self._flights.keep(answers)
            raise
        if search.deleted_at is not None:
            self.retire(0.0)
        if self._leaves_at is not None:
            self._flights.withdraw()
            return search.status
        try:
            status = self._advance(search)
        except (Conflict, TransientError):
            raise
        except NasError as error:
            failure = Failure(code=error.code, message=str(error), transient=False)
            status = self._end(SearchStatus.FAILED, failure)
        self._stirred = self._stirred or len(self._flights) != under_way
        return status

    def fail(self, failure: Failure) -> None:
        """End a search that cannot be driven; what it has found stays.

        Raises:
            Conflict: If another process drives it.
        """
        try:
            self.recover()
            with self._read() as uow:
                search = uow.searches.get(self._id)
            if not search.status.is_terminal:
                self._end(SearchStatus.FAILED, failure)
        finally:
            self.stop()

    def stop(self) -> None:
        """Take back what is under way and give up the lease; rows stay as they are."""
        if self._trials is not None:
            self._trials.close()
        self._flights.stop()
        self._lease.release()

    def _has_left(self) -> bool:
        return self._leaves_at is not None and (not self._flights or self._clock.now() >= self._leaves_at)

    def _turn(self) -> SearchStatus:
        """One step; what a database that was briefly away left undone is rebuilt from rows."""
        while True:
            try:
                if self._hiccups:
                    self.recover()
                status = self.tick()
            except TransientError as error:
                self._hiccups += 1
                if self._hiccups > self._pace.most_hiccups:
                    raise
                log.warning("A step of search %s is repeated: %s", self._id, error)
                self._clock.sleep(min(backoff_s(self._hiccups), self._pace.longest_wait_s))
            else:
                self._hiccups = 0
                return status

    def _record(self, answers: list[tuple[Job, Outcome]]) -> Search:
        """Write down what arrived and, now and then, the running time; returns the search as it stands."""
        with self._read() as uow:
            search = uow.searches.get(self._id)
        if not answers and not self._standing.must_account(search):
            return search
        with self._open() as ledger:
            for job, outcome in answers:
                self._accept(ledger, search, job, outcome)
            return self._standing.account(ledger, search)

    def _accept(self, ledger: Ledger, search: Search, job: Job, outcome: Outcome) -> None:
        match job.payload:
            case EvaluateArchitecture() | MeasureNetwork() if job.trial >= 0:
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
            return self._standing.step(SearchStatus.PREPARING)
        if self._trials is None:
            return self._prepare(search)
        if status is SearchStatus.PREPARING:
            return self._standing.step(SearchStatus.RUNNING)
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
            self._trials = self._trials or TrialPhase(
                library.costs, self._history, self._open, self._flights, self._make_strategy, self._clock
            )
            self._stirred = True
        elif search.status is SearchStatus.PREPARING and library.lacks_work and self._standing.is_over_time(search):
            message = "The wall time was over before the block library was complete. Submit it again with more."
            return self._end(SearchStatus.FAILED, Failure(code="wall_time_over", message=message, transient=False))
        return search.status

    def _try(self, search: Search, phase: TrialPhase) -> SearchStatus:
        if len(self._history) >= search.spec.budget.trials or phase.exhausted or self._standing.is_over_time(search):
            return self._standing.step(SearchStatus.DRAINING)
        phase.advance(search, propose=True)
        return search.status

    def _drain(self, search: Search, phase: TrialPhase) -> SearchStatus:
        if self._standing.is_over_time(search):
            with self._open() as ledger:
                cancel(ledger, self._history.of(TrialStatus.CANDIDATE))
        phase.advance(search, propose=False)
        if self._history.pending or not self._front.advance(search):
            return search.status
        return self._end(SearchStatus.COMPLETED)

    def _pause(self, status: SearchStatus) -> SearchStatus:
        if status is SearchStatus.PAUSED:
            return status
        if self._trials is None:
            self._flights.withdraw()
        else:
            self._trials.withdraw()
        return status if self._flights else self._standing.step(SearchStatus.PAUSED)

    def _end(self, status: SearchStatus, failure: Failure | None = None) -> SearchStatus:
        self._flights.stop()
        return self._standing.end(status, failure, self._history.pending)

    def _notice(self, ledger: Ledger) -> None:
        for trial in ledger.trials:
            self._history.take(trial)
        self._stirred = self._stirred or bool(ledger.events)
        for event in ledger.events:
            self._observe(event)
