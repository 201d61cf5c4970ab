"""Checks that tell whether this machine can run a search, each with its remedy."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import stat
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


def examine(installation: Installation, url: str | None = None) -> Iterator[Finding]:
    """Run every check, cheap ones first; a check that breaks is a finding, not an error.

    Args:
        installation: What is looked at.
        url: A server; None takes the one that serves the data directory, if any.
    """
    checks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("python", _python),
        ("packages", _packages),
        ("cores", _cores),
        ("memory", _memory),
        ("disk", lambda: _disk(installation.settings.data)),
        ("database", lambda: _database(installation)),
        ("key file", lambda: _key_file(installation.settings.data)),
        ("server", lambda: _server(installation.settings.data, url)),
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
    if not os.access(existing, os.W_OK):
        return Finding(
            check="disk", verdict="failed", detail=f"{existing} may not be written", remedy="Put --data elsewhere."
        )
    free = shutil.disk_usage(existing).free
    short = free < _ENOUGH_DISK
    return Finding(
        check="disk",
        verdict="warning" if short else "ok",
        detail=f"{free / 1024**3:.1f} GiB free at {data}",
        remedy="Free some space, or put --data on another disk." if short else "",
    )


def _database(installation: Installation) -> Finding:
    database = installation.database  # opening it brings its schema up to date
    database.ping()
    kind = database.engine.dialect.name
    count = len(installation.searches())
    return Finding(check="database", verdict="ok", detail=f"{kind}, its schema is this version's, {count} searches")


def _key_file(data: Path) -> Finding:
    from api.up.local_key import FILE

    file = data / FILE
    if not file.exists():
        return Finding(check="key file", verdict="ok", detail="none yet; the first `blocksmith up` makes it")
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        return Finding(
            check="key file",
            verdict="failed",
            detail=f"{file} has mode {mode:o}: others may read the key to everything",
            remedy=f"chmod 600 {file}, then revoke the key: blocksmith key list; blocksmith key revoke ID",
        )
    return Finding(check="key file", verdict="ok", detail=f"{file} is readable by its owner alone")


def _server(data: Path, url: str | None) -> Finding:
    from api.up.record import read_record, running_server

    record = running_server(data)
    if url is None and record is None:
        if read_record(data) is not None:
            return Finding(
                check="server",
                verdict="warning",
                detail="it was killed; searches wait",
                remedy=f"Start it again: blocksmith up --data {data}",
            )
        return Finding(check="server", verdict="ok", detail="none runs here; `blocksmith up` starts one")
    return _readiness(url or (record.url if record else ""))


def _readiness(url: str) -> Finding:
    import httpx

    try:
        health = httpx.get(f"{url}/health/ready", timeout=10.0).json()
        failing = ", ".join(f"{check['name']}: {check['detail']}" for check in health["checks"] if not check["ok"])
        status = str(health["status"])
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        return Finding(
            check="server",
            verdict="failed",
            detail=f"{url} does not answer as a server of ours: {type(error).__name__}",
            remedy="Look at its logs, or start it: blocksmith up",
        )
    verdicts: dict[str, Verdict] = {"ready": "ok", "degraded": "warning"}
    remedy = "" if status == "ready" else "Look at its logs; without workers, searches wait for a coordinator."
    detail = f"{url} is {status}" + (f" ({failing})" if failing else "")
    return Finding(check="server", verdict=verdicts.get(status, "failed"), detail=detail, remedy=remedy)


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
