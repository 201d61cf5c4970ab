"""The rig in short, as continuous integration runs it: eight faults, three searches, every invariant."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def chaos(*arguments: str) -> dict[str, Any]:
    """The summary of a run of the rig as a program."""
    # How fast a search recovers is measured on a quiet machine, not tested on a busy one: hence the patience.
    few = ["--faults", "8", "--searches", "3", "--short", "--patience", "240"]
    command = [sys.executable, "-m", "tests.chaos", *few, *arguments]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=580)
    assert finished.stdout, finished.stderr
    summary: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    assert finished.returncode == (1 if summary["violations"] else 0)
    return summary


@pytest.mark.parametrize(("database", "seed"), [("sqlite", 653), ("postgresql", 1303)])
def test_eight_faults_break_no_promise(database: str, seed: int) -> None:
    """The seeds deal much in little time: coordinators, workers, APIs, messages, a disk; the database itself."""
    summary = chaos("--database", database, "--seed", str(seed))
    assert summary["violation_details"] == []
    assert summary["faults"] == 8
    assert summary["searches"] >= 3
    assert summary["completed"] + summary["ended_otherwise"].get("cancelled", 0) == summary["searches"]
    assert summary["evaluations"] > 0
