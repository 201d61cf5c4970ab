"""Rows of trials."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, Select, func, select, update

from nas.domain.lifecycle import TrialStatus
from nas.domain.trial import Trial
from storage.refusals import taken_trial, unknown_search, unknown_trial
from storage.statements import insert_first, insert_into
from storage.tables import searches, trial_logs, trials
from storage.trial_points import point_of


class SqlTrials:
    """Trials by (search, number). A trial's architecture never changes.

    Every write notes the id of the event that will tell of it. It locks the search's row to know that
    id, as appending the event does: without the lock a reader could see the event of somebody else
    first and take the trial for old.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, trial: Trial) -> None:
        """Insert a candidate.

        Raises:
            Conflict: If number or architecture is taken in this search.
            NotFound: If there is no such search.
        """
        next_event = self._connection.scalar(_next_event(trial.search))
        if next_event is None:
            raise unknown_search(trial.search)
        row = {
            "search": trial.search,
            "number": trial.number,
            "architecture": trial.architecture.digest,
            "changed": next_event,
            **_columns(trial),
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
            raise self._unknown(search_id, number)
        return Trial.model_validate_json(document)

    def of_search(self, search_id: str, *statuses: TrialStatus) -> Sequence[Trial]:
        """Trials of a search in numerical order; all of them when no status is named."""
        return self._parsed(_of_status(_documents(search_id), statuses))

    def page(self, search_id: str, after: int, limit: int, statuses: Sequence[TrialStatus] = ()) -> Sequence[Trial]:
        """At most `limit` trials with numbers above `after`, in numerical order; of any status when none is named."""
        statement = _documents(search_id).where(trials.c.number > after).limit(limit)
        return self._parsed(_of_status(statement, statuses))

    def changed_after(self, search_id: str, event_id: int) -> Sequence[Trial]:
        """Trials written since a snapshot whose last event was `event_id`, in numerical order."""
        return self._parsed(_documents(search_id).where(trials.c.changed > event_id))

    def counts(self, search_id: str) -> dict[TrialStatus, int]:
        """How many trials stand where; a status without trials is left out."""
        statement = select(trials.c.status, func.count()).where(trials.c.search == search_id)
        rows = self._connection.execute(statement.group_by(trials.c.status)).all()
        return {TrialStatus(status): count for status, count in rows}

    def replace(self, expected: TrialStatus, trial: Trial) -> bool:
        """Store `trial` if the stored status is `expected`; returns whether it was (compare-and-set)."""
        statement = (
            update(trials)
            .where(trials.c.search == trial.search, trials.c.number == trial.number)
            .where(trials.c.architecture == trial.architecture.digest, trials.c.status == expected.value)
            .values(changed=_next_event(trial.search).scalar_subquery(), **_columns(trial))
        )
        return self._connection.execute(statement).rowcount == 1

    def add_log(self, search_id: str, number: int, attempt: int, text: str) -> None:
        """Keep the log of an attempt; a later one of the same attempt takes its place.

        Raises:
            NotFound: If there is no such trial.
        """
        same = (trials.c.search == search_id) & (trials.c.number == number)
        if self._connection.scalar(select(trials.c.number).where(same)) is None:
            raise self._unknown(search_id, number)
        key = {"search": search_id, "number": number, "attempt": attempt}
        statement = insert_into(self._connection, trial_logs).values(**key, document=json.dumps(text))
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=list(trial_logs.primary_key), set_={"document": statement.excluded.document}
            )
        )

    def logs(self, search_id: str, number: int) -> Sequence[tuple[int, str]]:
        """`(attempt, text)` of a trial, in order."""
        same = (trial_logs.c.search == search_id) & (trial_logs.c.number == number)
        statement = select(trial_logs.c.attempt, trial_logs.c.document).where(same).order_by(trial_logs.c.attempt)
        return [(row.attempt, json.loads(row.document)) for row in self._connection.execute(statement)]

    def _parsed(self, statement: Select[str]) -> Sequence[Trial]:
        return [Trial.model_validate_json(document) for document in self._connection.scalars(statement)]

    def _unknown(self, search_id: str, number: int) -> Exception:
        last = self._connection.scalar(select(func.max(trials.c.number)).where(trials.c.search == search_id))
        return unknown_trial(search_id, number, last)


def _documents(search_id: str) -> Select[str]:
    return select(trials.c.document).where(trials.c.search == search_id).order_by(trials.c.number)


def _of_status(statement: Select[str], statuses: Sequence[TrialStatus]) -> Select[str]:
    return statement.where(trials.c.status.in_([status.value for status in statuses])) if statuses else statement


def _next_event(search_id: str) -> Select[int]:
    return select(searches.c.last_event + 1).where(searches.c.id == search_id).with_for_update()


def _columns(trial: Trial) -> dict[str, object]:
    return {"status": trial.status.value, "point": point_of(trial), "document": trial.model_dump_json()}
