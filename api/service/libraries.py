"""Block libraries as documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.service.verdicts import front_of
from api.views import Document
from nas.domain.library import LibraryEntry
from nas.domain.metric import TABLE_LATENCY
from nas.domain.search import Search

if TYPE_CHECKING:
    from api.service.state import Service
    from storage.unit_of_work import SqlUnitOfWork


_SHOWN = 200
"""Libraries in a list; those used last."""


def read_search_library(service: Service, uow: SqlUnitOfWork, search: Search) -> Document:
    """The library of one search, block by block."""
    blocks = service.blocks.of(uow, search)
    with service.points.of(uow, search) as columns:
        best = front_of(columns, search.problem).best
        chosen = {} if best is None else columns.architecture(best)
    entries = []
    for stage, variant in blocks.places:
        place = (stage, variant)
        document: Document = {
            "stage": stage,
            "variant": variant,
            "state": "missing",
            "used_by_best": chosen.get(stage) == variant,
        }
        if place in blocks.entries:
            entry = blocks.entries[place]
            document |= {"state": "done", "curve": [list(point) for point in entry.curve], **_facts(entry)}
        document["table_latencies"] = {
            metric: measured[place].median_ms for metric, measured in blocks.latencies.items() if place in measured
        }
        document["table_latency_ms"] = document["table_latencies"].get(TABLE_LATENCY.name)
        entries.append(document)
    stages = [choices.stage for choices in search.space.stages]
    return {"done": blocks.done, "total": len(blocks.places), "stages": stages, "entries": entries}


def read_libraries(uow: SqlUnitOfWork, project: str | None) -> list[Document]:
    """Libraries of a project, or with None of the whole installation."""
    return [
        {
            "library": found.id,
            "teacher": uow.libraries.example(found.id, project).spec.teacher.source,
            "entries": found.entries,
            "searches": list(found.searches),
        }
        for found in uow.libraries.list(project)[:_SHOWN]
    ]


def read_library(uow: SqlUnitOfWork, library_id: str, project: str | None) -> Document:
    """One library with its blocks.

    Raises:
        NotFound: If the project has no part in such a library.
    """
    example = uow.libraries.example(library_id, project)
    searches = next((found.searches for found in uow.libraries.list(project) if found.id == library_id), ())
    entries = uow.libraries.entries(library_id, project)
    return {
        "library": library_id,
        "teacher": example.spec.teacher.source,
        "entries": len(entries),
        "searches": list(searches),
        "blocks": [
            {"key": entry.key, "stage": entry.stage, "variant": entry.variant, **_facts(entry)} for entry in entries
        ],
    }


def _facts(entry: LibraryEntry) -> Document:
    return {
        "block_loss": entry.block_loss,
        "params": entry.cost.params,
        "gmacs": entry.cost.macs / 1e9,
        "seconds": entry.seconds,
        "weights": entry.weights,
    }
