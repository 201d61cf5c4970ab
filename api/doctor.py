"""Checks that tell whether this machine can run a search, each with its remedy."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from api.installation import Installation
from nas.domain.value import Value
from nas.errors import NasError

Verdict = Literal["ok", "warning", "failed"]

_ENOUGH_DISK = 2 * 1024**3
_ENOUGH_MEMORY = 4 * 1024**3


class Finding(Value):
    """One check.

    Attributes:
        detail: What was seen.
        remedy: What to do about it; empty when all is well.
    """

    check: str
    verdict: Verdict
    detail: str
    remedy: str = ""


def examine(installation: Installation) -> Iterator[Finding]:
    """Run every check, cheap ones first; a check that breaks is a finding, not an error."""
    checks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("python", _python),
        ("packages", _packages),
        ("cores", _cores),
        ("memory", _memory),
        ("disk", lambda: _disk(installation.settings.data)),
        ("database", lambda: _database(installation)),
        ("torch", _torch),
        ("reference teacher", _reference),
        ("onnxruntime", _onnxruntime),
        ("ray", _ray),
    )
    for name, check in checks:
        try:
            yield check()
        except NasError as error:
            yield Finding(check=name, verdict="failed", detail=error.message, remedy=error.hint)
        except Exception as error:
            yield Finding(check=name, verdict="failed", detail=f"{type(error).__name__}: {error}"[:300])


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding(check="python", verdict="ok", detail=version)


def _packages() -> Finding:
    names = ("torch", "diffusers", "ax-platform", "botorch", "ray", "sqlalchemy", "onnxruntime")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return Finding(check="packages", verdict="ok", detail=versions)


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return Finding(check="cores", verdict="ok", detail=f"{cores} usable")


def _memory() -> Finding:
    import psutil

    free = psutil.virtual_memory().available
    short = free < _ENOUGH_MEMORY
    return Finding(
        check="memory",
        verdict="warning" if short else "ok",
        detail=f"{free / 1024**3:.1f} GiB available",
        remedy="Lower parallelism, or close other programs: a search with two workers takes about 4 GiB."
        if short
        else "",
    )


def _disk(data: Path) -> Finding:
    existing = next(folder for folder in (data.resolve(), *data.resolve().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    short = free < _ENOUGH_DISK
    return Finding(
        check="disk",
        verdict="warning" if short else "ok",
        detail=f"{free / 1024**3:.1f} GiB free at {data}",
        remedy="Free some space, or put --data on another disk." if short else "",
    )


def _database(installation: Installation) -> Finding:
    count = len(installation.searches())
    return Finding(check="database", verdict="ok", detail=f"{count} searches")


def _torch() -> Finding:
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return Finding(check="torch", verdict="ok", detail=f"{torch.__version__} on {device}")


def _reference() -> Finding:
    from nas.reference import reference_teacher_folder

    folder = reference_teacher_folder()
    size = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    return Finding(check="reference teacher", verdict="ok", detail=f"{size / 1e6:.1f} MB of weights")


def _onnxruntime() -> Finding:
    import onnxruntime

    providers = ", ".join(onnxruntime.get_available_providers())
    return Finding(check="onnxruntime", verdict="ok", detail=providers)


def _ray() -> Finding:
    from workers.probe import answering_worker

    return Finding(check="ray", verdict="ok", detail=answering_worker())
