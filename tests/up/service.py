"""A real service for tests: `blocksmith up --detach` on a folder and a port of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from api.up.record import read_record
from tests.builders.tiny_unet import make_teacher

ROOT = Path(__file__).resolve().parents[2]
SPEC = """
name: NAME
teacher: {source: TEACHER, random_weights: true}
calibration: {source: gaussian, samples: 8, holdout: 8, latent_size: 8, bands: 4}
distillation: {steps: STEPS, batch: 4}
fidelity: {metrics: [noise_mse]}
space:
  E1: [teacher, RA, R]
  E2: [teacher, R]
  D1: [teacher, RA, R]
constraints: [{metric: noise_mse, at_most: 10.0}]
budget: {trials: TRIALS}
strategy: {name: random}
"""


def write_spec(folder: Path, *, name: str = "tiny", trials: int = 4, steps: int = 2) -> Path:
    """A spec whose search takes seconds, with its teacher beside it; more steps make its blocks slow."""
    make_teacher(folder / "teacher")
    spec = folder / f"{name}.yaml"
    text = SPEC.replace("NAME", name).replace("TEACHER", str(folder / "teacher"))
    spec.write_text(text.replace("TRIALS", str(trials)).replace("STEPS", str(steps)))
    return spec


def environment(folder: Path) -> dict[str, str]:
    settings = {
        "BLOCKSMITH_ALLOWED_ROOTS": json.dumps([str(folder)]),
        "BLOCKSMITH_SLOTS": "1",
        "OMP_NUM_THREADS": "1",
    }
    return {**os.environ, **settings, "PYTHONPATH": str(ROOT)}


def blocksmith(folder: Path, *arguments: str, expect: int = 0, timeout: float = 240) -> str:
    """Run a command as a user would; returns what it wrote to standard output."""
    finished = subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    told = finished.stdout + finished.stderr
    assert finished.returncode == expect, told
    assert "Traceback" not in told
    return finished.stdout


def answer(folder: Path, *arguments: str, **options: Any) -> Any:
    """The JSON that a command prints."""
    return json.loads(blocksmith(folder, *arguments, "--json", **options))


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[dict[str, Any]]:
    """What `up --detach` says of the service that runs in `folder/data` meanwhile."""
    told = answer(folder, "up", "--data", "data", "--port", "0", "--detach")
    try:
        yield told
    finally:
        blocksmith(folder, "down", "--data", "data")
        assert family(folder) == []


def family(folder: Path) -> list[psutil.Process]:
    """Every living process of ours that has to do with the folder: those that `up` started, and theirs."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            is_ours = str(folder) in process.environ().get("BLOCKSMITH_ALLOWED_ROOTS", "")
            if is_ours and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def supervised(folder: Path, name: str) -> psutil.Process:
    """The `api` or `coordinator` of the service."""
    record = read_record(folder / "data")
    assert record is not None
    for process in psutil.Process(record.pid).children():
        if name in process.cmdline():
            return process
    raise AssertionError(f"no {name} runs")


def eventually(condition: Callable[[], Any], patience_s: float = 120.0) -> Any:
    """Wait until something holds; returns it."""
    deadline = time.monotonic() + patience_s
    while True:
        with contextlib.suppress(AssertionError, psutil.Error):
            if found := condition():
                return found
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.1)
