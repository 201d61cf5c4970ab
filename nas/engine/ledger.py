"""One fenced transaction: facts and the events that tell of them become durable together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.engine.events import EngineEvent, EventKind, Fact, Observer
from nas.engine.lease import Lease
from nas.ports import Clock, OpenUnitOfWork, UnitOfWork


class Ledger:
    """What a transaction may touch.

    Attributes:
        uow: The unit of work; it commits when the block ends.
        now: Unix seconds at which the transaction began.
    """

    def __init__(self, uow: UnitOfWork, search_id: str, now: float) -> None:
        self.uow = uow
        self.now = now
        self.events: list[EngineEvent] = []
        self._search_id = search_id

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

    def tell_trial(self, trial: Trial, **more: Fact) -> None:
        """Append where a trial stands, with its metrics or the reason why it has none."""
        facts: dict[str, Fact] = {
            "number": trial.number,
            "status": trial.status.value,
            "origin": trial.origin,
            **more,
        }
        if trial.evaluation is not None:
            facts |= {f"metrics.{name}": value.mean for name, value in trial.evaluation.metrics.items()}
        if trial.failure is not None:
            facts |= {"code": trial.failure.code, "message": trial.failure.message}
        self.tell("trial", facts)


OpenLedger = Callable[[], AbstractContextManager[Ledger]]
"""Opens a fenced transaction; nothing is written by a coordinator that lost its lease."""


def fenced(
    open_unit_of_work: OpenUnitOfWork, clock: Clock, lease: Lease, search_id: str, observe: Observer
) -> OpenLedger:
    """Make the transactions of one coordinator.

    The observer hears of events only after they are durable.
    """

    @contextmanager
    def open_ledger() -> Iterator[Ledger]:
        with open_unit_of_work() as uow:
            lease.require(uow)
            ledger = Ledger(uow, search_id, clock.now())
            yield ledger
            uow.commit()
        for event in ledger.events:
            observe(event)

    return open_ledger
