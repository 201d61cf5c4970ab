"""Where a search stands: the steps of its status and the time it ran, as its row tells."""

from __future__ import annotations

from collections.abc import Iterable

from nas.domain.job import Failure
from nas.domain.lifecycle import SearchStatus, TrialStatus
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.engine.ledger import Ledger, OpenLedger
from nas.errors import Conflict
from nas.ports import Clock


class Standing:
    """The part of a search's row that its driver writes.

    Args:
        account_s: How often running time is written down.
    """

    def __init__(self, search_id: str, open_ledger: OpenLedger, clock: Clock, account_s: float) -> None:
        self._id = search_id
        self._open = open_ledger
        self._clock = clock
        self._account_s = account_s
        self._since = clock.now()

    def begin(self) -> None:
        """Count running time from now on."""
        self._since = self._clock.now()

    def step(self, status: SearchStatus) -> SearchStatus:
        """Take one step of the lifecycle."""
        with self._open() as ledger:
            self._become(ledger, status)
        return status

    def end(self, status: SearchStatus, failure: Failure | None, pending: Iterable[Trial]) -> SearchStatus:
        """End the search, and with it every trial that has no verdict."""
        with self._open() as ledger:
            cancel(ledger, pending)
            self._become(ledger, status, failure)
        return status

    def must_account(self, search: Search) -> bool:
        """Whether it is time to write down the running time."""
        return not search.status.is_at_rest and self._clock.now() - self._since >= self._account_s

    def account(self, ledger: Ledger, search: Search) -> Search:
        """Write down the running time now and then; returns the search as it stands afterwards."""
        if not self.must_account(search):
            return search
        after: Search = search.evolve(ran_s=self._ran_s(search))
        self._since = self._clock.now()
        ledger.uow.searches.replace(search.status, after)
        return after

    def is_over_time(self, search: Search) -> bool:
        """Whether the wall time of the budget is spent."""
        limit = search.spec.budget.wall_time_s
        return limit is not None and self._ran_s(search) >= limit

    def _become(self, ledger: Ledger, status: SearchStatus, failure: Failure | None = None) -> None:
        search = ledger.uow.searches.get(self._id)
        after = search.become(status, ran_s=self._ran_s(search), failure=failure)
        self._since = self._clock.now()
        if not ledger.uow.searches.replace(search.status, after):
            raise Conflict(f"Search {self._id!r} was changed by somebody else.", "Read it again.")
        ledger.tell_search(after)

    def _ran_s(self, search: Search) -> float:
        running = 0.0 if search.status is SearchStatus.PAUSED else self._clock.now() - self._since
        return search.ran_s + max(0.0, running)


def cancel(ledger: Ledger, trials: Iterable[Trial]) -> None:
    """Give trials up that have no verdict."""
    for trial in sorted(trials, key=lambda trial: trial.number):
        ledger.move_trial(trial, trial.become(TrialStatus.CANCELLED))
