"""The block library: every surrogate block, distilled alone on the teacher's features."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nas.domain.value import FrozenDict, Value


class Distillation(Value):
    """How one surrogate block is trained. Part of the key of every library entry.

    Attributes:
        steps: Optimiser steps per block; blocks without parameters take none.
        batch: Samples per step.
        learning_rate: Peak of a cosine schedule with a short warm-up.
        seed: Seed of the batch order and of weights that the teacher cannot give.
        initialise: `teacher` copies whatever weights fit (BK-SDM); `random` exists to measure what
            that buys.
    """

    steps: Annotated[int, Field(ge=0, le=10_000_000)] = 200
    batch: Annotated[int, Field(ge=1, le=4096)] = 16
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    initialise: Literal["teacher", "random"] = "teacher"


class BlockCost(Value):
    """Exact cost of one block at the calibration's shapes, batch 1.

    Attributes:
        params: Parameters.
        macs: Multiply-accumulates, attention products counted (fvcore).
        attention_macs: Of those, QK^T and AV: subtract them to get the published convention.
    """

    params: Annotated[int, Field(ge=0)]
    macs: Annotated[int, Field(ge=0)]
    attention_macs: Annotated[int, Field(ge=0)]


class LibraryEntry(Value):
    """One trained surrogate block (or the teacher's own, with loss 0 and no weights).

    Attributes:
        key: Digest of teacher, calibration, distillation, stage and variant: an entry is made once.
        weights: Artifact digest of the safetensors file; empty for blocks without own weights.
        block_loss: Normalised MSE on held-out teacher features: squared error over the variance of
            the teacher's output, averaged over the stage's outputs (Puzzle's normalisation).
        band_losses: The same per timestep band, early to late.
        curve: `(step, training loss)` pairs.
        seconds: Wall time of the training.
    """

    kind: Literal["library_entry"] = "library_entry"
    key: str
    stage: str
    variant: str
    weights: str = ""
    cost: BlockCost
    block_loss: Annotated[float, Field(ge=0)]
    band_losses: tuple[float, ...] = ()
    curve: tuple[tuple[int, float], ...] = ()
    seconds: float = 0.0


class NetworkFloor(Value):
    """Cost that every architecture pays: stem, time embedding and head."""

    kind: Literal["network_floor"] = "network_floor"
    cost: BlockCost


class BlockLibrary(Value):
    """All entries a search needs, by `stage/variant`, plus the floor."""

    entries: FrozenDict[str, LibraryEntry]
    floor: BlockCost

    def entry(self, stage: str, variant: str) -> LibraryEntry:
        """The entry of one (stage, variant).

        Raises:
            KeyError: If the library is incomplete; the engine completes it before the first trial.
        """
        return self.entries[f"{stage}/{variant}"]
