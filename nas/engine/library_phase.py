"""First phase of a search: completes the block library and prices the space."""

from __future__ import annotations

from nas.domain.architecture import Architecture
from nas.domain.cost import ExactCosts
from nas.domain.job import Failure, Job, Outcome
from nas.domain.library import LibraryEntry
from nas.domain.lifecycle import SearchStatus
from nas.domain.search import Search
from nas.engine.events import Fact, effort
from nas.engine.flights import Flights
from nas.engine.ledger import Ledger, OpenLedger
from nas.engine.prepare import Preparation, describe, keep_result, require_attainable
from nas.errors import InfeasibleSpec
from nas.ports import OpenUnitOfWork

WORDS = {
    "capture": "The teacher's features could not be recorded",
    "floor": "Stem and head could not be counted",
    "distill": "Block {variant!r} of stage {stage!r} could not be distilled",
    "measure_block": "Block {variant!r} of {stage!r} could not be timed",
}


class LibraryPhase:
    """Submits the missing jobs of the library until the whole space has its price.

    Also the way back after a restart, whatever the status: when nothing is missing it only looks up.

    Attributes:
        costs: Prices of the whole space; None while the library is incomplete.
        failure: Why the library can never be completed; the search has failed.
    """

    def __init__(
        self,
        search: Search,
        stages: tuple[str, ...],
        open_ledger: OpenLedger,
        open_reader: OpenUnitOfWork,
        flights: Flights,
    ) -> None:
        self._open = open_ledger
        self._read = open_reader
        self._flights = flights
        self._preparation = Preparation(search, stages)
        self.costs: ExactCosts | None = None
        self.failure: Failure | None = None

    @property
    def lacks_work(self) -> bool:
        """Whether anything but the capture is missing."""
        return self._preparation.lacks_work

    def doubt(self, architecture: Architecture) -> None:
        """Have the blocks of an architecture looked after: a worker found their weights damaged or gone."""
        self._preparation.doubt(architecture)
        self.costs = None

    def accept(self, ledger: Ledger, job: Job, outcome: Outcome) -> None:
        """Keep a result, or decide whether a failure is final."""
        key, place = outcome.key, describe(job)
        if outcome.result is not None:
            keep_result(ledger.uow, key, outcome.result)
            self._preparation.accept(key, outcome.result)
            done, total = self._preparation.done, self._preparation.total
            facts: dict[str, Fact] = {**place, "done": done, "total": total, **effort(outcome)}
            if isinstance(outcome.result, LibraryEntry):
                facts["block_loss"] = outcome.result.block_loss
            ledger.tell("library", facts)
            if why := self._preparation.quarrel:
                self.failure = Failure(code="mixed_devices", message=why, transient=False)
        elif outcome.failure is not None:
            self._note(ledger, key, place, outcome.failure)

    def advance(self, search: Search) -> None:
        """Submit what may start now, as far as slots are free; price the space when nothing is missing."""
        preparation = self._preparation
        if len(self._flights) >= search.spec.parallelism:
            return
        with self._read() as uow:
            preparation.recall(uow)
        costs = preparation.costs()
        if costs is not None:
            self._price(search, costs)
            return
        for key, job in preparation.missing().items():
            if len(self._flights) >= search.spec.parallelism:
                return
            if self._flights.may_start(key):
                self._flights.submit(key, job.evolve(search=search.id))

    def _price(self, search: Search, costs: ExactCosts) -> None:
        try:
            if search.status is SearchStatus.PREPARING:  # later on, a bound nobody can meet ends the search by itself
                require_attainable(search.problem, search.space, costs)
        except InfeasibleSpec as error:
            self.failure = Failure(code=error.code, message=str(error), transient=False)
            return
        with self._open() as ledger:
            ledger.uow.library.note_use(search.id, sorted(entry.key for entry in costs.library.entries.values()))
        self.costs = costs

    def _note(self, ledger: Ledger, key: str, place: dict[str, str], failure: Failure) -> None:
        if self._flights.note_failure(key, failure):
            ledger.tell("retry", {**place, "code": failure.code, "message": failure.message})
        else:
            what = WORDS[place["job"]].format(**place)
            self.failure = failure.evolve(message=f"{what}: {failure.message}")
