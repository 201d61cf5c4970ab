"""What users write beside the thing itself: an event for those who listen, a line for those who audit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from api.access import Caller
from nas.engine.events import Fact

if TYPE_CHECKING:
    from storage.unit_of_work import SqlUnitOfWork


def tell(uow: SqlUnitOfWork, search_id: str, kind: str, facts: Mapping[str, Fact], at: float) -> None:
    """Append an event to a search's log, worded as the engine words its own."""
    uow.events.append(search_id, kind, json.dumps({"facts": dict(facts)}), at)


def note(
    uow: SqlUnitOfWork, caller: Caller, action: str, subject: str, *, project: str | None, at: float, detail: str = ""
) -> None:
    """Append a line to the audit trail; never give it a secret.

    Args:
        uow: The transaction of the write that it tells of.
        caller: Who asked.
        action: A verb and a noun, for instance `cancel search`.
        subject: Id of what it was done to.
        project: Whose thing it is; None for the installation's own.
        at: Unix seconds.
        detail: What else a reader should know.
    """
    from storage.administration import AuditEntry

    entry = AuditEntry(at=at, project=project, key=caller.key, action=action, subject=subject, detail=detail[:500])
    uow.audit.append(entry)
