"""One fenced transaction: facts and the events that tell of them become durable together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.engine.events import EngineEvent, EventKind, Fact
from nas.engine.lease import Lease
from nas.errors import Conflict
from nas.ports import Clock, OpenUnitOfWork, UnitOfWork


class Ledger:
    """What a transaction may touch. Every write of a trial's row has its event.

    Attributes:
        uow: The unit of work; it commits when the block ends.
        now: Unix seconds at which the transaction began.
        events: What was told.
        trials: Trials as they were written, in order.
    """

    def __init__(self, uow: UnitOfWork, search_id: str, now: float) -> None:
        self.uow = uow
        self.now = now
        self.events: list[EngineEvent] = []
        self.trials: list[Trial] = []
        self._search_id = search_id

    def add_trial(self, trial: Trial) -> None:
        """Insert a new candidate."""
        self.uow.trials.add(trial)
        self.trials.append(trial)
        self._tell_trial(trial, {})

    def move_trial(self, before: Trial, after: Trial, facts: Mapping[str, Fact] | None = None) -> None:
        """Replace a trial by what it became.

        Args:
            before: As this driver knows it.
            after: As it shall be.
            facts: What else the event tells.

        Raises:
            Conflict: If the row stands otherwise: somebody else wrote it; know nothing and read again.
        """
        if not self.uow.trials.replace(before.status, after):
            raise Conflict(f"Trial {before.number} was changed by somebody else.", "Read it again.")
        self.trials.append(after)
        self._tell_trial(after, facts or {})

    def tell(self, kind: EventKind, facts: Mapping[str, Fact]) -> None:
        """Append an event to the log."""
        event = EngineEvent(search=self._search_id, kind=kind, at=self.now, facts=FrozenDict(facts))
        payload = event.model_dump_json(include={"facts"})
        self.uow.events.append(self._search_id, kind, payload, self.now)
        self.events.append(event)

    def tell_search(self, search: Search) -> None:
        """Append where a search stands."""
        facts: dict[str, Fact] = {"status": search.status.value}
        if search.failure is not None:
            facts |= {"code": search.failure.code, "message": search.failure.message}
        self.tell("search", facts)

    def _tell_trial(self, trial: Trial, more: Mapping[str, Fact]) -> None:
        facts: dict[str, Fact] = {
            "number": trial.number,
            "status": trial.status.value,
            "origin": trial.origin,
            **more,
        }
        if trial.evaluation is not None:
            facts |= {f"metrics.{name}": value.mean for name, value in trial.evaluation.metrics.items()}
        if trial.evaluation is not None and trial.is_partial:
            facts["share"] = trial.evaluation.share
        if trial.failure is not None:
            facts |= {"code": trial.failure.code, "message": trial.failure.message}
        self.tell("trial", facts)


OpenLedger = Callable[[], AbstractContextManager[Ledger]]
"""Opens a fenced transaction; nothing is written by a coordinator that lost its lease."""


def fenced(
    open_unit_of_work: OpenUnitOfWork, clock: Clock, lease: Lease, search_id: str, durable: Callable[[Ledger], None]
) -> OpenLedger:
    """Make the transactions of one coordinator.

    Args:
        open_unit_of_work: Opens what may write.
        clock: Dates the events.
        lease: Extended by every transaction, which fails without it.
        search_id: The search that all of it is about.
        durable: Hears of a transaction after its commit, and only then.
    """

    @contextmanager
    def open_ledger() -> Iterator[Ledger]:
        with open_unit_of_work() as uow:
            lease.require(uow)
            ledger = Ledger(uow, search_id, clock.now())
            yield ledger
            uow.commit()
        durable(ledger)

    return open_ledger
