"""Second phase of a search: proposes architectures and sees every trial to its verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from nas.domain.architecture import Architecture
from nas.domain.cost import ExactCosts
from nas.domain.job import EvaluateArchitecture, Job, Outcome
from nas.domain.lifecycle import TrialStatus
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.engine.events import Fact, effort
from nas.engine.flights import Flights
from nas.engine.jobs import evaluation_job
from nas.engine.ledger import Ledger, OpenLedger
from nas.engine.prepare import keep_result
from nas.engine.verdicts import claim, failures_of, judge, ready_at, reuse, screen


class Suggestion(Protocol):
    """An architecture worth trying, and who thinks so."""

    @property
    def architecture(self) -> Architecture:
        """What to try."""

    @property
    def origin(self) -> str:
        """Who proposed it."""


class Strategy(Protocol):
    """What proposes: the part of a search strategy that the engine calls, between polls.

    It may take seconds. What it suggests must depend on the history alone, so that a driver that was
    killed goes on as if nothing had happened.
    """

    def update(self, finished: Sequence[Trial], pending: Sequence[Architecture]) -> None:
        """Replace the history: every trial with a verdict, every architecture without."""

    def suggest(self, count: int) -> Sequence[Suggestion]:
        """At most `count` architectures that are neither finished nor pending; none when none is left."""


MakeStrategy = Callable[[Search, ExactCosts], Strategy]
"""Makes the strategy of a search; called again when the bounds move."""


class TrialPhase:
    """Proposes, claims, submits and records the trials of one search.

    Attributes:
        exhausted: Whether the strategy has nothing left to propose.
    """

    def __init__(
        self, costs: ExactCosts, open_ledger: OpenLedger, flights: Flights, make_strategy: MakeStrategy
    ) -> None:
        self._costs = costs
        self._open = open_ledger
        self._flights = flights
        self._make_strategy = make_strategy
        self._strategy: tuple[int, Strategy] | None = None
        self._fruitless_at: int | None = None
        self.exhausted = False

    def accept(self, ledger: Ledger, search: Search, job: Job, outcome: Outcome) -> None:
        """Record an outcome. An evaluation is kept even when its trial is no longer open."""
        if outcome.result is not None:
            keep_result(ledger.uow, outcome.key, outcome.result)
        trial = self._running(ledger, search, job)
        if trial is None:
            return
        after = judge(trial, outcome, self._costs, search.spec.max_attempts, ledger.now)
        if not ledger.uow.trials.replace(TrialStatus.RUNNING, after):
            return
        if after.status is TrialStatus.CANDIDATE and outcome.failure is not None:
            what = {"code": outcome.failure.code, "message": outcome.failure.message}
            ledger.tell("retry", {"number": trial.number, "attempt": failures_of(after), **what})
        else:
            how: dict[str, Fact] = {"how": "evaluated"} if after.evaluation else {}
            ledger.tell_trial(after, **how, **effort(outcome))

    def propose(self, search: Search, trials: list[Trial]) -> None:
        """Fill the free slots with new candidates, as far as the budget of trials goes."""
        pending = [trial.architecture for trial in trials if not trial.status.is_terminal]
        left = search.spec.budget.trials - len(trials)
        free = min(search.spec.parallelism - len(pending), left)
        if free <= 0 or (pending and self._fruitless_at == len(trials) - len(pending)):
            return
        strategy = self._strategy_of(search)
        strategy.update([trial for trial in trials if trial.status.is_terminal], pending)
        known = {trial.architecture.digest for trial in trials}
        fresh = [one for one in strategy.suggest(free) if one.architecture.digest not in known][:free]
        if fresh:
            self._add(search, fresh, len(trials))
        else:
            self._fruitless_at = len(trials) - len(pending)
            self.exhausted = not pending

    def dispatch(self, search: Search) -> None:
        """Claim and submit candidates: new, retried and recovered ones by the same rule."""
        claimed: list[Job] = []
        with self._open() as ledger:
            for trial in ledger.uow.trials.of_search(search.id, TrialStatus.CANDIDATE):
                job = evaluation_job(search.spec, self._costs.library, trial.architecture)
                if self._settle(ledger, search, trial, job.key):
                    continue
                has_slot = len(self._flights) + len(claimed) < search.spec.parallelism
                if has_slot and ready_at(trial) <= ledger.now and claim(ledger.uow, trial, ledger.now):
                    claimed.append(job)
        for job in claimed:
            self._flights.submit(job.key, job)

    def _settle(self, ledger: Ledger, search: Search, trial: Trial, key: str) -> bool:
        screened = screen(trial, search.problem, self._costs)
        after = screened or reuse(ledger.uow, trial, key, self._costs)
        if after is None:
            return False
        if ledger.uow.trials.replace(TrialStatus.CANDIDATE, after):
            ledger.tell_trial(after, how="screened" if screened else "known")
        return True

    def _add(self, search: Search, suggestions: Sequence[Suggestion], first: int) -> None:
        with self._open() as ledger:
            for number, suggestion in enumerate(suggestions, start=first):
                trial = Trial(
                    search=search.id,
                    number=number,
                    architecture=suggestion.architecture,
                    origin=suggestion.origin,
                    bounds_version=len(search.problems) - 1,
                    created_at=ledger.now,
                )
                ledger.uow.trials.add(trial)
                ledger.tell_trial(trial)

    def _strategy_of(self, search: Search) -> Strategy:
        version = len(search.problems)
        if self._strategy is None or self._strategy[0] != version:
            self._strategy = version, self._make_strategy(search, self._costs)
        return self._strategy[1]

    def _running(self, ledger: Ledger, search: Search, job: Job) -> Trial | None:
        if not isinstance(job.payload, EvaluateArchitecture):
            return None
        digest = job.payload.architecture.digest
        running = ledger.uow.trials.of_search(search.id, TrialStatus.RUNNING)
        return next((trial for trial in running if trial.architecture.digest == digest), None)
