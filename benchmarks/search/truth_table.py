"""The exhaustive evaluation as two CSV files: one row per architecture, one row per block."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.search.truth_library import Prepared
from nas.domain.metric import GMACS, NOISE_MSE, PARAMS, TABLE_LATENCY
from nas.estimation.metrics.statistics import standard_error

TABLE, BLOCKS = "reference.csv.gz", "reference-blocks.csv"
SHARES = (16, 8, 4, 2)
"""Low fidelities take one in so many of the held-out samples, or of the timesteps."""
Errors = npt.NDArray[np.float64]


def low_fidelities(bands: int, samples: int) -> dict[str, list[int]]:
    """Held-out samples behind each low-fidelity column.

    `noise_mse_samples_1_8` is what the product gets from a hold-out an eighth as large: it takes the first samples,
    which go through the timestep bands in turn. `noise_mse_timesteps_1_8` takes every sample of one band in eight,
    evenly spaced and around the middle of the schedule; where a share is less than one band, a part of its samples.

    Args:
        bands: Number of timestep bands; sample `i` lies in band `i mod bands`.
        samples: Held-out samples; at least 16.
    """
    chosen = {f"{NOISE_MSE.name}_samples_1_{share}": list(range(samples // share)) for share in SHARES}
    for share in SHARES:
        stride = min(share, bands)
        kept = set(range(stride // 2, bands, stride))
        rows = [row for row in range(samples) if row % bands in kept]
        chosen[f"{NOISE_MSE.name}_timesteps_1_{share}"] = rows[: samples // share]
    return chosen


def write_tables(prepared: Prepared, errors: Errors, folder: Path) -> None:
    """Write both files.

    Args:
        prepared: The space and its library.
        errors: Squared error per architecture, in lexicographic order of the codes, and held-out sample.
        folder: Where to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = _csv(_architecture_rows(prepared, errors)).encode()
    # No time stamp: the same measurements make the same file.
    (folder / TABLE).write_bytes(gzip.compress(content, compresslevel=9, mtime=0))
    (folder / BLOCKS).write_text(_csv(_block_rows(prepared)), encoding="utf-8")


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a table, gzipped or not."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    return list(csv.DictReader(io.StringIO(text)))


def _architecture_rows(prepared: Prepared, errors: Errors) -> Iterable[dict[str, Any]]:
    calibration = prepared.spec.calibration
    band = torch.arange(calibration.holdout) % calibration.bands
    low = low_fidelities(calibration.bands, calibration.holdout)
    for codes, values in zip(prepared.space.indices(), errors, strict=True):
        architecture = prepared.space.decode(codes)
        costs = prepared.costs.of(architecture)
        yield {
            **architecture.choices,
            PARAMS.name: round(costs[PARAMS.name].mean),
            GMACS.name: f"{costs[GMACS.name].mean:.6f}",
            TABLE_LATENCY.name: f"{costs[TABLE_LATENCY.name].mean:.4f}",
            NOISE_MSE.name: f"{values.mean():.6g}",
            f"{NOISE_MSE.name}_sem": f"{standard_error(torch.from_numpy(values), band):.3g}",
            **{name: f"{values[rows].mean():.5g}" for name, rows in low.items()},
        }


def _block_rows(prepared: Prepared) -> Iterable[dict[str, Any]]:
    table = prepared.costs.table()
    assert table is not None
    for choices in prepared.space.stages:
        for variant in choices.variants:
            entry = prepared.costs.library.entry(choices.stage, variant)
            yield {
                "stage": choices.stage,
                "variant": variant,
                "block_loss": f"{entry.block_loss:.6g}",
                PARAMS.name: entry.cost.params,
                GMACS.name: f"{entry.cost.macs / 1e9:.6f}",
                "latency_ms": f"{table.blocks_ms[f'{choices.stage}/{variant}']:.4f}",
            }


def _csv(rows: Iterable[dict[str, Any]]) -> str:
    written = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(written, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
    return written.getvalue()
