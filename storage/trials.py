"""Rows of trials."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select, update

from nas.domain.lifecycle import TrialStatus
from nas.domain.trial import Trial
from storage.refusals import taken_trial, unknown_search, unknown_trial
from storage.statements import insert_first
from storage.tables import searches, trials


class SqlTrials:
    """Trials by (search, number). A trial's architecture never changes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, trial: Trial) -> None:
        """Insert a candidate.

        Raises:
            Conflict: If number or architecture is taken in this search.
            NotFound: If there is no such search.
        """
        self._require_search(trial.search)
        row = {
            "search": trial.search,
            "number": trial.number,
            "architecture": trial.architecture.digest,
            "status": trial.status.value,
            "document": trial.model_dump_json(),
        }
        if not insert_first(self._connection, trials, **row):
            raise taken_trial(trial)

    def get(self, search_id: str, number: int) -> Trial:
        """One trial.

        Raises:
            NotFound: If there is none, saying how far the numbers go.
        """
        same = (trials.c.search == search_id) & (trials.c.number == number)
        document = self._connection.scalar(select(trials.c.document).where(same))
        if document is None:
            last = self._connection.scalar(select(func.max(trials.c.number)).where(trials.c.search == search_id))
            raise unknown_trial(search_id, number, last)
        return Trial.model_validate_json(document)

    def of_search(self, search_id: str, *statuses: TrialStatus) -> Sequence[Trial]:
        """Trials of a search in numerical order; all of them when no status is named."""
        statement = select(trials.c.document).where(trials.c.search == search_id).order_by(trials.c.number)
        if statuses:
            statement = statement.where(trials.c.status.in_([status.value for status in statuses]))
        return [Trial.model_validate_json(document) for document in self._connection.scalars(statement)]

    def replace(self, expected: TrialStatus, trial: Trial) -> bool:
        """Store `trial` if the stored status is `expected`; returns whether it was (compare-and-set)."""
        statement = (
            update(trials)
            .where(trials.c.search == trial.search, trials.c.number == trial.number)
            .where(trials.c.architecture == trial.architecture.digest, trials.c.status == expected.value)
            .values(status=trial.status.value, document=trial.model_dump_json())
        )
        return self._connection.execute(statement).rowcount == 1

    def _require_search(self, search_id: str) -> None:
        if self._connection.scalar(select(searches.c.id).where(searches.c.id == search_id)) is None:
            raise unknown_search(search_id, self._connection.scalars(select(searches.c.id)).all())
