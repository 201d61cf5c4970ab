"""Second phase of a search: proposes architectures and sees every trial to its verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nas.domain.architecture import Architecture
from nas.domain.cost import ExactCosts
from nas.domain.device import LatencyMeasurement
from nas.domain.job import EvaluateArchitecture, Evaluation, Job, Outcome
from nas.domain.lifecycle import TrialStatus
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.engine.advice import Advice, Adviser, MakeStrategy, adviser_of
from nas.engine.archive import Archive
from nas.engine.events import Fact, effort
from nas.engine.flights import Flights
from nas.engine.history import History
from nas.engine.jobs import evaluation_job
from nas.engine.known import keep_evaluation, known_evaluation
from nas.engine.ledger import Ledger, OpenLedger
from nas.engine.lookahead import Lookahead
from nas.engine.prepare import keep_result
from nas.engine.timings import missing_timing, timings, with_timings
from nas.engine.verdicts import (
    claimed,
    failures_of,
    is_ruled_out,
    judge,
    may_reopen,
    ready_at,
    reopened,
    reuse,
    screen,
    unfinished,
    withdrawn,
)
from nas.ports import Clock

WARM_START = "warm start"
"""Origin of the architectures that a search was given to begin with."""


@dataclass(frozen=True)
class Question:
    """What is being thought about: how many trials had a verdict when it was asked, and how many had none."""

    finished: int
    pending: int


class TrialPhase:
    """Proposes, claims, submits and records the trials of one search.

    Attributes:
        exhausted: Whether the strategy has nothing left to propose.
    """

    def __init__(
        self,
        costs: ExactCosts,
        history: History,
        open_ledger: OpenLedger,
        flights: Flights,
        make_strategy: MakeStrategy,
        clock: Clock,
    ) -> None:
        self._costs = costs
        self._history = history
        self._open = open_ledger
        self._flights = flights
        self._make_strategy = make_strategy
        self._clock = clock
        self._lookahead = Lookahead()
        self._adviser: Adviser | None = None
        self._question: Question | None = None
        self._is_urgent = False
        self._basis: tuple[int, Archive] | None = None
        self._fruitless_at: int | None = None
        self.exhausted = False

    def accept(self, ledger: Ledger, search: Search, job: Job, outcome: Outcome) -> None:
        """Record an outcome. An evaluation is kept even when its trial is no longer open."""
        if isinstance(outcome.result, Evaluation) and isinstance(job.payload, EvaluateArchitecture):
            keep_evaluation(ledger.uow.evaluations, job.payload, outcome.result)
        if isinstance(outcome.result, LatencyMeasurement):
            keep_result(ledger.uow, job.key, outcome.result)
        self._lookahead.note_evaluation(outcome.seconds)
        trial = self._history.running(job.trial)
        if trial is None:
            return
        after = self._after(ledger, trial, outcome, search)
        if after.status.is_terminal:
            self._lookahead.note_vacancy(self._clock.now())
        ledger.move_trial(trial, after, {**_how(after, outcome), **effort(outcome)})
        if after.status is TrialStatus.CANDIDATE and outcome.failure is not None:
            what = {"code": outcome.failure.code, "message": outcome.failure.message}
            ledger.tell("retry", {"number": trial.number, "attempt": failures_of(after), **what})
        if outcome.log:
            ledger.uow.trials.add_log(search.id, trial.number, len(trial.attempts), outcome.log)

    def _after(self, ledger: Ledger, trial: Trial, outcome: Outcome, search: Search) -> Trial:
        """What a running trial becomes. While measurements are missing it is a candidate: starting it finds them."""
        if isinstance(outcome.result, LatencyMeasurement):
            return unfinished(trial, ledger.now)
        after = judge(trial, outcome, self._costs, search, ledger.now)
        if after.status is TrialStatus.COMPLETED and after.evaluation is not None:
            library = ledger.uow.library
            if missing_timing(library, search, trial, after.evaluation) is not None:
                return unfinished(trial, ledger.now)
            after = after.evolve(evaluation=self._whole(ledger, search, trial, after.evaluation))
        return after

    def _whole(self, ledger: Ledger, search: Search, trial: Trial, evaluation: Evaluation) -> Evaluation:
        return with_timings(evaluation, timings(ledger.uow.library, search, trial, self._costs))

    def advance(self, search: Search, *, propose: bool) -> None:
        """Keep the workers busy: candidates first, then, if asked to, what the strategy proposes."""
        if self._basis != (search.bounds_version, self._history.verdicts):
            self._rebound(search)
        before = len(self._flights)
        self._start_candidates(search)
        if propose:
            self._propose(search)
        self._lookahead.note_filled(len(self._flights) - before, self._clock.now())

    def withdraw(self) -> None:
        """Give back the trials that were claimed and that no worker has begun."""
        self._lookahead.forget_vacancies()
        waiting = [
            trial for job in self._flights.withdraw() if (trial := self._history.running(job.trial)) is not None
        ]
        if waiting:
            with self._open() as ledger:
                for trial in waiting:
                    ledger.move_trial(trial, withdrawn(trial), {"how": "withdrawn"})

    def close(self) -> None:
        """Withdraw what the strategy is thinking about."""
        self._question = None
        if self._adviser is not None:
            self._adviser.close()

    def _has_answer(self) -> bool:
        if self._question is None or self._adviser is None:
            return False
        return self._adviser.has_answered(is_urgent=self._is_urgent)

    def _rebound(self, search: Search) -> None:
        """Put a version of the bounds in force: a new strategy, and another chance for what they do not rule out.

        The same when verdicts were taken back or read again: a strategy cannot be told to forget.
        """
        again = [trial for trial in self._history.ruled_out if may_reopen(trial, search)]
        if again:
            with self._open() as ledger:
                for trial in again:
                    ledger.move_trial(trial, reopened(trial), {"how": "reopened"})
        self.close()
        self._adviser = adviser_of(self._make_strategy(search, self._costs))
        self._fruitless_at, self.exhausted = None, False
        self._basis = (search.bounds_version, self._history.verdicts)

    def _start_candidates(self, search: Search) -> None:
        """Claim and submit new, retried, recovered and reopened candidates by the same rule."""
        now = self._clock.now()
        ready = [trial for trial in self._history.of(TrialStatus.CANDIDATE) if ready_at(trial) <= now]
        if ready and self._room(search) > 0:
            with self._open() as ledger:
                jobs = self._start(ledger, search, ready)
            self._submit(jobs)

    def _propose(self, search: Search) -> None:
        """Fill the free places with new candidates, as far as the budget of trials goes."""
        self._is_urgent = len(self._flights) < search.spec.parallelism
        if self._question is None and not self._ask(search):
            return
        if not self._has_answer():
            self._flights.is_driver_wanted = self._has_answer
            return
        assert self._adviser is not None
        question, self._question = self._question, None
        assert question is not None
        advice = self._adviser.answer()
        told = [(one.architecture, one.origin) for one in advice.suggestions]
        fresh = [one for one in told if one[0].digest not in self._history][: self._left(search)]
        if fresh or advice.lapse is not None:
            self._add(search, fresh, advice)
        if not fresh:
            self._fruitless_at = question.finished
            self.exhausted = not question.pending and advice.lapse is None

    def _ask(self, search: Search) -> bool:
        """Put a question to the strategy if there is room; seeds take the room without one."""
        history, pending = self._history, self._history.pending
        free = min(self._places(search) - len(pending), self._left(search))
        finished = len(history) - len(pending)
        if free <= 0 or (pending and self._fruitless_at == finished):
            return False
        seeds = self._seeds(search, free)
        if seeds:
            self._add(search, seeds)
            return False
        assert self._adviser is not None
        self._adviser.ask(history.verdicts, [trial.architecture for trial in pending], free)
        self._question = Question(finished, len(pending))
        return True

    def _left(self, search: Search) -> int:
        return search.spec.budget.trials - len(self._history)

    def _add(self, search: Search, fresh: list[tuple[Architecture, str]], advice: Advice | None = None) -> None:
        """Make trials of new architectures, and start as many as there is room for."""
        with self._open() as ledger:
            if advice is not None and advice.lapse is not None:
                lapse = advice.lapse
                why: dict[str, Fact] = {"reason": lapse.reason, "seconds": lapse.seconds, "message": lapse.message}
                ledger.tell("suggestion", {"trials": len(fresh), **why})
            trials = [
                Trial(
                    search=search.id,
                    number=number,
                    architecture=architecture,
                    origin=origin,
                    bounds_version=search.bounds_version,
                    created_at=ledger.now,
                )
                for number, (architecture, origin) in enumerate(fresh, start=len(self._history))
            ]
            for trial in trials:
                ledger.add_trial(trial)
            jobs = self._start(ledger, search, trials)
        self._submit(jobs)

    def _seeds(self, search: Search, count: int) -> list[tuple[Architecture, str]]:
        """The next architectures that the search was given, as far as space and exact bounds allow them."""
        if len(self._history) >= len(search.seeds):
            return []  # all of them had their turn: they come first
        fresh = {one.digest: one for one in search.seeds if one.digest not in self._history and one in search.space}
        allowed = (one for one in fresh.values() if not is_ruled_out(self._costs.of(one), search.problem))
        return [(one, WARM_START) for one in allowed][:count]

    def _start(self, ledger: Ledger, search: Search, candidates: Iterable[Trial]) -> list[Job]:
        """Settle candidates whose verdict is known, claim others while there is room; returns their jobs."""
        jobs: list[Job] = []
        room = self._room(search)
        for trial in candidates:
            screened = screen(trial, search.problem, self._costs)
            job, settled = (None, screened) if screened else self._next(ledger, search, trial)
            if settled is not None:
                ledger.move_trial(trial, settled, {"how": "screened" if screened else "known"})
            elif job is not None and len(jobs) < room:
                after = claimed(trial, ledger.now)
                ledger.move_trial(trial, after)
                jobs.append(job.evolve(search=search.id, trial=trial.number, attempt=len(after.attempts)))
        return jobs

    def _next(self, ledger: Ledger, search: Search, trial: Trial) -> tuple[Job | None, Trial | None]:
        """What is to be found out next about a candidate, or, when all is known, what it becomes."""
        job = evaluation_job(search.spec, self._costs.library, trial.architecture, search.stop_beyond)
        assert isinstance(job.payload, EvaluateArchitecture)
        known = known_evaluation(ledger.uow.evaluations, job.payload)
        if known is None:
            return job, None
        timing = missing_timing(ledger.uow.library, search, trial, known)
        if timing is not None:
            return timing, None
        return None, reuse(self._whole(ledger, search, trial, known), trial, self._costs)

    def _submit(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._flights.submit(job.key, job)

    def _places(self, search: Search) -> int:
        """How many trials may be without a verdict: on a worker, or ready for the next free one."""
        return search.spec.parallelism + self._lookahead.jobs(search.spec.parallelism)

    def _room(self, search: Search) -> int:
        return self._places(search) - len(self._flights)


def _how(after: Trial, outcome: Outcome) -> dict[str, Fact]:
    """How an outcome was come by, for the event that tells of it."""
    if after.evaluation is not None:
        return {"how": "stopped early" if after.is_partial else "evaluated"}
    if outcome.result is None:
        return {}
    was_stopped = isinstance(outcome.result, Evaluation) and outcome.result.is_partial
    return {"how": "overtaken" if was_stopped else "to be timed"}
