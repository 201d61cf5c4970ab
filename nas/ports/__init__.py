"""What the core needs from the outside world, as Protocols.

Adapters live in `storage` and `workers`; the core knows only these. Nothing here may block for
long unless it says so.
"""

from nas.ports.repositories import (
    EvaluationCache,
    EventLog,
    LeaseRepository,
    LibraryRepository,
    OpenUnitOfWork,
    SearchRepository,
    TrialRepository,
    UnitOfWork,
)
from nas.ports.surroundings import ArtifactStore, Clock, JobBackend, ResultJournal, Workspace

__all__ = [
    "ArtifactStore",
    "Clock",
    "EvaluationCache",
    "EventLog",
    "JobBackend",
    "LeaseRepository",
    "LibraryRepository",
    "OpenUnitOfWork",
    "ResultJournal",
    "SearchRepository",
    "TrialRepository",
    "UnitOfWork",
    "Workspace",
]
