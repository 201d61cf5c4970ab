"""A worker's real work, with a log of what was begun and done, and death at a chosen moment."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from nas.domain.job import EvaluateArchitecture, Job, Result
from nas.estimation.execute import execute
from nas.ports import Workspace

MOMENTS = ("library half built", "trial running", "between result and record")
FATAL = {
    MOMENTS[0]: ("begun", "distill", 4),
    MOMENTS[1]: ("begun", "evaluate", 3),
    MOMENTS[2]: ("done", "evaluate", 3),
}


@dataclass(frozen=True)
class Witness:
    """Executes jobs for real and writes one line per step, append-only.

    Attributes:
        log: The lines: step, kind, calibration seed (which tells searches apart), key.
        deaths: Calibration seed and moment at which the worker kills itself, once each.
        evaluation_s: Extra time that an evaluation takes, so that it can be interrupted.
    """

    log: Path
    deaths: tuple[tuple[int, str], ...] = ()
    evaluation_s: float = 0.0

    def __call__(self, job: Job, workspace: Workspace) -> Result:
        is_known = any(workspace.journal.recall(key) is not None for key in job.payload.keys)
        if not is_known:
            self._step("begun", job)
            if isinstance(job.payload, EvaluateArchitecture):
                time.sleep(self.evaluation_s)
        result = execute(job, workspace)
        if not is_known:
            self._step("done", job)
        return result

    def _step(self, step: str, job: Job) -> None:
        kind, seed = job.payload.kind, job.payload.calibration.seed
        with self.log.open("a") as log:
            log.write(f"{step} {kind} {seed} {job.key}\n")
        for doomed, moment in self.deaths:
            if doomed == seed and FATAL[moment][:2] == (step, kind) and self._is_time(seed, moment):
                os.kill(os.getpid(), signal.SIGKILL)

    def _is_time(self, seed: int, moment: str) -> bool:
        step, kind, number = FATAL[moment]
        if steps_of(self.log, seed)[step, kind] < number:
            return False
        try:
            (self.log.parent / f"died-{seed}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def steps_of(log: Path, seed: int) -> Counter[tuple[str, str]]:
    """How many steps of each `(step, kind)` a search's workers took."""
    return Counter((step, kind) for step, kind, _ in lines_of(log, seed))


def lines_of(log: Path, seed: int) -> list[tuple[str, str, str]]:
    """`(step, kind, key)` of one search, in order."""
    lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return [(step, kind, key) for step, kind, of_seed, key in lines if of_seed == str(seed)]
