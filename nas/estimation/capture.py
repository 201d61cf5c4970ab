"""Run the teacher once and keep every stage's inputs and outputs, for all later distillations and comparisons."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock
from torch import Tensor

from nas.domain.job import FeatureSet
from nas.domain.teacher import Calibration
from nas.domain.value import FrozenDict
from nas.errors import DiskFull, EvaluationError, NotFound
from nas.estimation.calibration import NoisyLatents, noisy_latents
from nas.estimation.feature_files import TensorFile
from nas.estimation.features import (
    CONTEXT,
    LATENTS,
    TIMESTEPS,
    DamagedFeatures,
    Features,
    Manifest,
    StoredTensor,
    write_manifest,
)
from nas.estimation.layout import Layout, run_observed
from nas.space.stage import Stage, StageInput, StageOutput
from nas.space.teachers.base import StageObserver
from nas.space.teachers.load import LoadedTeacher

LARGEST_BATCH = 16
BATCH_PIXELS = 16 * 32 * 32
"""Latent pixels per forward pass: at 64 x 64 latents four samples at a time, which bounds the activations."""
LIMIT_BYTES = 64 << 30
"""Features larger than this are refused: the calibration was probably not meant that way."""
RESERVED_BYTES = 1 << 28
"""Left free on the disk."""


def planned_bytes(teacher: LoadedTeacher, calibration: Calibration) -> int:
    """Bytes that capturing this calibration will take on disk; runs the teacher on one sample, encodes no picture."""
    latents = noisy_latents(teacher, calibration.evolve(source="gaussian"))
    return Layout.of(teacher.denoiser, latents).planned_bytes(latents)


def capture(
    teacher: LoadedTeacher, calibration: Calibration, store: Path, key: str, limit_bytes: int = LIMIT_BYTES
) -> FeatureSet:
    """Capture all features of a calibration into `store/key`, or reuse what is there.

    When two processes ask for the same key, one works and the other waits for it. The lock is the operating
    system's and dies with its holder; what a killed process left behind is removed.

    Raises:
        EvaluationError: If the features would exceed `limit_bytes`, or the teacher gives something not finite.
        DiskFull: If the disk has no room; free some and try again.
    """
    features = _reuse(store / key) or _make(teacher, calibration, store, key, limit_bytes)
    return FeatureSet(
        key=key,
        size_bytes=features.manifest.size_bytes,
        samples=len(features.samples) + len(features.holdout),
    )


def discard(store: Path, key: str) -> None:
    """Remove a damaged feature folder, so that the next capture makes it anew."""
    with FileLock(store / f"{key}.lock"):
        shutil.rmtree(store / key, ignore_errors=True)


def _reuse(folder: Path) -> Features | None:
    try:
        return Features(folder)
    except (NotFound, DamagedFeatures):
        return None


def _make(teacher: LoadedTeacher, calibration: Calibration, store: Path, key: str, limit_bytes: int) -> Features:
    store.mkdir(parents=True, exist_ok=True)
    with FileLock(store / f"{key}.lock"):
        if features := _reuse(store / key):
            return features
        for leftover in (store / key, *store.glob(f"{key}.*.partial")):
            shutil.rmtree(leftover, ignore_errors=True)
        latents = noisy_latents(teacher, calibration)
        layout = Layout.of(teacher.denoiser, latents)
        _require_room(store, layout.planned_bytes(latents), limit_bytes)
        with _partial_folder(store, key) as partial:
            tensors = _write(teacher, latents, layout, partial)
            stages = tuple(layout.stages.items())
            manifest = Manifest(
                key=key, teacher=teacher.ref.fingerprint, calibration=calibration, stages=stages, tensors=tensors
            )
            write_manifest(partial, manifest)
            partial.rename(store / key)
        return Features(store / key)


def _require_room(store: Path, planned: int, limit_bytes: int) -> None:
    if planned > limit_bytes:
        raise EvaluationError(
            f"The captured features would take {planned:,} bytes, the limit is {limit_bytes:,}.",
            "Use fewer calibration samples or a smaller latent size.",
        )
    free = shutil.disk_usage(store).free
    if planned + RESERVED_BYTES > free:
        raise DiskFull(
            f"The captured features need {planned:,} bytes and only {free:,} are free.", "Free disk space."
        )


@contextlib.contextmanager
def _partial_folder(store: Path, key: str) -> Iterator[Path]:
    partial = store / f"{key}.{uuid.uuid4().hex}.partial"
    partial.mkdir()
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(
    teacher: LoadedTeacher, latents: NoisyLatents, layout: Layout, folder: Path
) -> FrozenDict[str, StoredTensor]:
    """Write every tensor file; the teacher sees each sample once."""
    with contextlib.ExitStack() as stack:
        files: dict[str, TensorFile] = {}
        for name, (shape, dtype) in layout.planned(latents).items():
            files[name] = TensorFile(folder / f"{name}.npy", shape, dtype)
            stack.callback(files[name].release)
        files[LATENTS].append(latents.sample)
        files[TIMESTEPS].append(latents.timestep)
        if latents.context is not None:
            files[CONTEXT].append(latents.context)
        batch = min(LARGEST_BATCH, max(1, BATCH_PIXELS // latents.sample[0, 0].numel()))
        for start in range(0, len(latents.timestep), batch):
            rows = range(start, min(start + batch, len(latents.timestep)))
            run_observed(teacher.denoiser, latents, rows, _writer(layout, files))
        return FrozenDict({name: file.close() for name, file in files.items()})


def _writer(layout: Layout, files: dict[str, TensorFile]) -> StageObserver:
    """Appends one batch to the files, every file once."""
    written: set[str] = set()

    def keep(name: str, tensor: Tensor) -> None:
        if name not in written:
            written.add(name)
            files[name].append(tensor)

    def observe(stage: Stage, inputs: StageInput, output: StageOutput) -> None:
        names = layout.stages[stage.name]
        keep(names.hidden, inputs.hidden)
        keep(names.temb, inputs.temb)
        for name, tensor in zip((*names.skips, *names.outputs), (*inputs.skips, *output.tensors()), strict=True):
            keep(name, tensor)

    return observe
