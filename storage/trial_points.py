"""Trials as points of a plot: a tenth of the document, so that ten thousand are read at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json
from sqlalchemy import Connection, select

from nas.domain.lifecycle import TrialStatus
from nas.domain.trial import Trial
from storage.tables import trials


class TrialPoint(NamedTuple):
    """What a plot needs of a trial. A plain tuple: thousands are made for one answer.

    Attributes:
        changed: Id of the event that tells of its last write.
        choices: Variant by stage; a stage left out keeps the teacher's block.
        metrics: `[mean, standard error, unit]` by name; empty while it has no verdict.
        share: Share of the hold-out samples that was seen; below 1 when its evaluation was stopped early.
    """

    number: int
    status: str
    changed: int
    origin: str
    bounds_version: int
    choices: dict[str, str]
    metrics: dict[str, list[Any]]
    share: float = 1.0


def point_of(trial: Trial) -> str:
    """What is kept of a trial for `SqlTrialPoints`."""
    measured = {} if trial.evaluation is None else trial.evaluation.metrics
    metrics = {name: (value.mean, value.sem, value.unit) for name, value in measured.items()}
    facts = (trial.origin, trial.bounds_version, dict(trial.architecture.choices), metrics)
    share = (trial.evaluation.share,) if trial.evaluation is not None and trial.is_partial else ()
    return json.dumps((*facts, *share), separators=(",", ":"))


class SqlTrialPoints:
    """Points of a search's trials, in numerical order."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def page(
        self,
        search_id: str,
        *,
        after: int = -1,
        limit: int = 1000,
        changed_after: int = -1,
        statuses: Sequence[TrialStatus] = (),
    ) -> list[TrialPoint]:
        """At most `limit` points.

        Args:
            search_id: Whose trials; an unknown search has none.
            after: Only numbers above this one.
            limit: At most so many.
            changed_after: Only trials written since a snapshot whose last event this was.
            statuses: Only these; any when none is named.
        """
        statement = (
            select(trials.c.number, trials.c.status, trials.c.changed, trials.c.point)
            .where(trials.c.search == search_id, trials.c.number > after)
            .order_by(trials.c.number)
            .limit(limit)
        )
        if changed_after >= 0:
            statement = statement.where(trials.c.changed > changed_after)
        if statuses:
            statement = statement.where(trials.c.status.in_([status.value for status in statuses]))
        rows = self._connection.execute(statement)
        return [TrialPoint(number, status, changed, *from_json(point)) for number, status, changed, point in rows]
