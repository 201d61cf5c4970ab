"""What the real search would take, told from a completed dry run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.service.blocks import Blocks
from api.views import Document
from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.lifecycle import SearchStatus, TrialStatus
from nas.domain.search import Search
from nas.engine.jobs import distillation_job

if TYPE_CHECKING:
    from storage.unit_of_work import SqlUnitOfWork

_ALIVE_S = 10.0


def estimate_document(uow: SqlUnitOfWork, search: Search, blocks: Blocks) -> Document | None:
    """Extrapolation of a dry run to its spec's whole space and budget; None for anything else.

    Blocks that other searches made meanwhile are taken off. Slots: the spec's parallelism, as far as
    the workers alive reach.
    """
    if search.kind != "dry_run" or search.status is not SearchStatus.COMPLETED:
        return None
    seconds = [
        attempt.ended_at - attempt.started_at
        for trial in uow.trials.of_search(search.id, TrialStatus.COMPLETED)
        for attempt in trial.attempts[-1:]
        if attempt.ended_at is not None
    ]
    trained = [entry.seconds for (_, variant), entry in blocks.entries.items() if variant != TEACHER_VARIANT]
    if not seconds:
        return None
    slots = max(1, min(search.spec.parallelism, _slots(uow) or search.spec.parallelism))
    library = _missing(uow, search) * (sum(trained) / len(trained) if trained else 0.0) / slots
    trials = search.spec.budget.trials * seconds[-1] / slots
    return {
        "seconds_library": round(library, 3),
        "seconds_trials": round(trials, 3),
        "seconds_total": round(library + trials, 3),
        "slots": slots,
    }


def _missing(uow: SqlUnitOfWork, search: Search) -> int:
    return sum(
        uow.library.entry(distillation_job(search.spec, stage, variant).key) is None
        for stage, variants in search.spec.space.items()
        for variant in variants
    )


def _slots(uow: SqlUnitOfWork) -> int:
    return sum(int(process.document.get("slots", 0)) for process, _ in uow.processes.alive(_ALIVE_S))
