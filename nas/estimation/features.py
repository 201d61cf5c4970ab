"""Captured features on disk: one memory-mapped file per distinct tensor and a manifest that was written last.

A folder without a manifest is garbage. Sizes are checked when a set is opened, digests when a file is first read in
a process: reading one stage does not cost hashing all of them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from nas.domain.teacher import Calibration
from nas.domain.value import FrozenDict, Value
from nas.errors import CorruptArtifact, NotFound
from nas.space.stage import StageInput

MANIFEST = "manifest.json"
LATENTS, TIMESTEPS, CONTEXT = "latents", "timesteps", "context"
Indices = Sequence[int] | range
StoredType = Literal["float16", "bfloat16", "float32", "int64"]
NUMPY_TYPES: dict[StoredType, str] = {"float16": "<f2", "bfloat16": "<u2", "float32": "<f4", "int64": "<i8"}
"""bfloat16 is unknown to numpy and kept as its bits."""


class DamagedFeatures(CorruptArtifact):
    """Captured features do not match their manifest; discard the folder and capture again."""


class StoredTensor(Value):
    """One file: `<name>.npy`, first axis samples.

    Attributes:
        shape: Of the whole array. A first axis of 1 means that all samples share the row.
        dtype: Storage type; everything is handed out as float32 or int64.
        reason: Why it is not float16, or empty.
        variance: Of all its elements; normalises block losses.
    """

    shape: tuple[int, ...]
    dtype: StoredType
    reason: str = ""
    variance: float
    size_bytes: int
    sha256: str


class StageTensors(Value):
    """Which files are the inputs and outputs of a stage. Several stages may name the same file.

    Attributes:
        size: `StageInput.size`.
        outputs: Hidden state, then skips.
    """

    hidden: str
    temb: str
    skips: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    outputs: tuple[str, ...]


class Manifest(Value):
    """What a feature folder holds.

    Attributes:
        teacher: Fingerprint of the teacher.
        stages: In the teacher's order of execution, as pairs, because JSON objects have no order.
    """

    schema_version: Literal[1] = 1
    key: str
    teacher: str
    calibration: Calibration
    stages: tuple[tuple[str, StageTensors], ...]
    tensors: FrozenDict[str, StoredTensor]

    @property
    def size_bytes(self) -> int:
        """Bytes of all tensor files."""
        return sum(tensor.size_bytes for tensor in self.tensors.values())


class Features:
    """An opened feature folder. Cheap to make; files are mapped when first read.

    Args:
        folder: `<features>/<key>`.

    Raises:
        NotFound: If there is no finished capture; capture.
        DamagedFeatures: If a file is missing or has another size, or the manifest cannot be read; discard and
            capture again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = _read_manifest(folder)
        for name, tensor in self.manifest.tensors.items():
            path = self.path(name)
            if not path.is_file() or path.stat().st_size != tensor.size_bytes:
                raise DamagedFeatures(f"Captured features are damaged: {path.name} is missing or has another size.")
        self.stages = dict(self.manifest.stages)
        self._maps: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {}

    @property
    def samples(self) -> range:
        """Rows for distillation."""
        return range(self.manifest.calibration.samples)

    @property
    def holdout(self) -> range:
        """Rows on which candidates are judged."""
        calibration = self.manifest.calibration
        return range(calibration.samples, calibration.samples + calibration.holdout)

    def path(self, name: str) -> Path:
        """File of a tensor."""
        return self.folder / f"{name}.npy"

    def band(self, row: int) -> int:
        """Timestep band of a row; band 0 has the smallest timesteps."""
        calibration = self.manifest.calibration
        return (row if row < calibration.samples else row - calibration.samples) % calibration.bands

    def read(self, name: str, rows: Indices) -> Tensor:
        """Rows of a tensor as float32 (int64 for timesteps), copied into memory.

        Raises:
            DamagedFeatures: If the file does not match its digest; discard the folder and capture again.
        """
        mapped, stored = self._map(name), self.manifest.tensors[name]
        if stored.shape[0] == 1:
            chosen = np.repeat(mapped[:1], len(rows), axis=0)
        elif isinstance(rows, range) and rows.step == 1:
            chosen = np.array(mapped[rows.start : rows.stop])
        else:
            chosen = mapped[np.asarray(rows)]
        tensor = torch.from_numpy(chosen)
        if stored.dtype == "bfloat16":
            tensor = tensor.view(torch.bfloat16)
        return tensor if stored.dtype == "int64" else tensor.float()

    def stage_input(self, stage: str, rows: Indices) -> StageInput:
        """The teacher's input of a stage."""
        names = self.stages[stage]
        return StageInput(
            hidden=self.read(names.hidden, rows),
            temb=self.read(names.temb, rows),
            context=self.context(rows),
            skips=tuple(self.read(name, rows) for name in names.skips),
            size=names.size,
        )

    def stage_output(self, stage: str, rows: Indices) -> tuple[Tensor, ...]:
        """The teacher's outputs of a stage: hidden state, then skips."""
        return tuple(self.read(name, rows) for name in self.stages[stage].outputs)

    def variances(self, stage: str) -> tuple[float, ...]:
        """Variance of each output of a stage."""
        return tuple(self.manifest.tensors[name].variance for name in self.stages[stage].outputs)

    def context(self, rows: Indices) -> Tensor | None:
        """Conditioning tokens, or None for teachers without cross-attention."""
        return self.read(CONTEXT, rows) if CONTEXT in self.manifest.tensors else None

    def _map(self, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
        if name not in self._maps:
            stored = self.manifest.tensors[name]
            if not self.path(name).is_file():
                raise DamagedFeatures(f"Captured features are damaged: {name}.npy is gone.")
            if sha256_of(self.path(name)) != stored.sha256:
                raise DamagedFeatures(f"Captured features are damaged: {name}.npy does not match its digest.")
            mapped = np.load(self.path(name), mmap_mode="r", allow_pickle=False)
            if mapped.shape != stored.shape or mapped.dtype.str != NUMPY_TYPES[stored.dtype]:
                raise DamagedFeatures(f"Captured features are damaged: {name}.npy is not what its manifest says.")
            self._maps[name] = mapped
        return self._maps[name]


def _read_manifest(folder: Path) -> Manifest:
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"No captured features in {folder}.", "Capture them first.") from None
    try:
        return Manifest.model_validate_json(text)
    except (ValidationError, UnicodeDecodeError):
        raise DamagedFeatures(f"The manifest in {folder} cannot be read.") from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest atomically; from now on the folder counts."""
    partial = folder / f"{MANIFEST}.partial"
    with partial.open("w", encoding="utf-8") as file:
        file.write(manifest.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / MANIFEST)


def sha256_of(path: Path) -> str:
    """Digest of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
