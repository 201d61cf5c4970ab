"""Block libraries as documents."""

from __future__ import annotations

from typing import Any, Literal

from api.schemas.base import Document, example

AN_ENTRY: dict[str, Any] = {
    "stage": "E1",
    "variant": "RA",
    "state": "done",
    "block_loss": 0.031,
    "params": 12_000,
    "gmacs": 0.12,
    "table_latency_ms": 0.8,
    "table_latencies": {"table_latency_ms": 0.8},
    "seconds": 6.1,
    "curve": [[0, 1.0], [200, 0.04]],
    "weights": "",
    "used_by_best": True,
}


class LibraryEntryDocument(Document):
    """One surrogate block of a search's library; everything but the place is null while it is missing.

    Attributes:
        block_loss: Normalised error on held-out teacher features.
        seconds: Wall time of its training.
        curve: `[step, training loss]` pairs.
        weights: Digest of its weights, for `/v1/artifacts`; empty when it has none of its own.
        used_by_best: Whether the best trial has it.
    """

    model_config = example(**AN_ENTRY)

    stage: str
    variant: str
    state: Literal["done", "missing"]
    block_loss: float | None = None
    params: int | None = None
    gmacs: float | None = None
    table_latency_ms: float | None = None
    table_latencies: dict[str, float] = {}
    seconds: float | None = None
    curve: list[tuple[int, float]] = []
    weights: str = ""
    used_by_best: bool = False


class SearchLibrary(Document):
    """The block library of one search: every stage with every variant on offer.

    Attributes:
        total: Blocks needed; features and latencies are not counted here.
    """

    model_config = example(done=1, total=1, stages=["E1"], entries=[AN_ENTRY])

    done: int
    total: int
    stages: list[str]
    entries: list[LibraryEntryDocument]


class LibraryDocument(Document):
    """A block library: everything distilled from one teacher on one calibration in one way.

    Attributes:
        searches: Searches of this project that use it.
    """

    model_config = example(
        library="5f1c0e9a7b3d", teacher="reference", entries=40, searches=["reference-demo-1a2b3c"]
    )

    library: str
    teacher: str
    entries: int
    searches: list[str]


class SharedEntry(Document):
    """One surrogate block of a library that searches share."""

    model_config = example(
        key="0" * 64, stage="E1", variant="RA", block_loss=0.031, params=12_000, gmacs=0.12, seconds=6.1, weights=""
    )

    key: str
    stage: str
    variant: str
    block_loss: float
    params: int
    gmacs: float
    seconds: float
    weights: str


class LibraryDetail(LibraryDocument):
    """A block library with its blocks."""

    model_config = example(
        library="5f1c0e9a7b3d", teacher="reference", entries=40, searches=["reference-demo-1a2b3c"], blocks=[]
    )

    blocks: list[SharedEntry]
