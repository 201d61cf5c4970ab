"""Writing captured tensors: half precision that notices when it is not enough."""

from __future__ import annotations

import io
import math
from io import BufferedWriter
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nas.errors import EvaluationError
from nas.estimation.features import NUMPY_TYPES, StoredTensor, StoredType, sha256_of

SMALLEST_RMS = 1e-3
"""Below this root mean square a good part of the values are subnormal in float16 and lose digits."""
CONVERTED_BYTES = 1 << 24


class TensorFile:
    """Writes one tensor row by row, collects its variance, and closes with a manifest entry.

    Starts in float16 and moves to bfloat16 (same size, so the plan holds) as soon as a value would overflow, or when
    the first rows are too small for float16. Written as a plain stream, not through a memory map: a full disk is then
    an OSError and not a signal that kills the process.

    Args:
        path: `<name>.npy`.
        shape: Of the whole array.
        dtype: `float16`, or an exact type that is kept as it is.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: StoredType = "float16") -> None:
        self.path, self.shape, self.dtype, self.reason = path, shape, dtype, ""
        self._file = _create(path, shape, dtype)
        self._rows, self._count, self._mean, self._squares = 0, 0, 0.0, 0.0

    def append(self, rows: Tensor) -> None:
        """Write the next rows.

        Raises:
            EvaluationError: If the teacher's values are not finite.
        """
        rows = rows.detach().cpu()
        if self.dtype in ("float16", "bfloat16"):
            rows = rows.float()
            self._widen_if_needed(rows)
        self._observe(rows)
        self._file.write(_stored_bytes(rows, self.dtype))
        self._rows += len(rows)

    def close(self) -> StoredTensor:
        """Flush and describe the file."""
        self._file.close()
        if self._rows != self.shape[0]:
            raise ValueError(f"{self.path.name} got {self._rows} of {self.shape[0]} rows")
        return StoredTensor(
            shape=self.shape,
            dtype=self.dtype,
            reason=self.reason,
            variance=self._squares / self._count,
            size_bytes=self.path.stat().st_size,
            sha256=sha256_of(self.path),
        )

    def release(self) -> None:
        """Let go of the file, finished or not."""
        self._file.close()

    def _widen_if_needed(self, rows: Tensor) -> None:
        if self.dtype != "float16":
            return
        peak = float(rows.abs().amax())
        if peak > torch.finfo(torch.float16).max:
            self._widen(f"a value of {peak:.3g} overflows float16")
        elif self._rows == 0 and 0.0 < (rms := float(rows.square().mean().sqrt())) < SMALLEST_RMS:
            self._widen(f"a root mean square of {rms:.3g} is subnormal in float16")

    def _widen(self, reason: str) -> None:
        """Rewrite what is there as bfloat16."""
        self._file.close()
        partial = self.path.with_suffix(".wide")
        wide = _create(partial, self.shape, "bfloat16")
        with self.path.open("rb") as narrow:
            narrow.seek(len(_header(self.shape, "float16")))
            while values := narrow.read(CONVERTED_BYTES):
                halves = torch.frombuffer(bytearray(values), dtype=torch.float16)
                wide.write(_stored_bytes(halves.float(), "bfloat16"))
        partial.replace(self.path)
        self._file, self.dtype, self.reason = wide, "bfloat16", reason

    def _observe(self, rows: Tensor) -> None:
        """Merge the rows into mean and sum of squared deviations (Chan, Golub & LeVeque 1983)."""
        if not rows.is_floating_point():
            self._count = max(self._count, 1)
            return
        variance, mean = (float(value) for value in torch.var_mean(rows.float(), correction=0))
        if not (math.isfinite(variance) and math.isfinite(mean)):
            raise EvaluationError(f"The teacher's {self.path.stem} is not finite.", "Check its weights.")
        count, shift = rows.numel(), mean - self._mean
        total = self._count + count
        self._squares += variance * count + shift * shift * self._count * count / total
        self._mean += shift * count / total
        self._count = total


def file_bytes(shape: tuple[int, ...], dtype: StoredType) -> int:
    """Size of a `.npy` file before it is written."""
    return len(_header(shape, dtype)) + math.prod(shape) * np.dtype(NUMPY_TYPES[dtype]).itemsize


def _header(shape: tuple[int, ...], dtype: StoredType) -> bytes:
    header = io.BytesIO()
    description = {"descr": NUMPY_TYPES[dtype], "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, description)
    return header.getvalue()


def _create(path: Path, shape: tuple[int, ...], dtype: StoredType) -> BufferedWriter:
    file = path.open("wb")
    file.write(_header(shape, dtype))
    return file


def _stored_bytes(rows: Tensor, dtype: StoredType) -> bytes:
    stored = rows.to(getattr(torch, dtype)).contiguous()
    return stored.view(torch.uint8).numpy().tobytes()
