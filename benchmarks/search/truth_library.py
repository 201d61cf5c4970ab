"""The block library of a spec, made with the engine's own jobs in a data directory; every finished job is kept."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.search.truth_space import as_search
from nas.domain.cost import ExactCosts
from nas.domain.job import Job, Result
from nas.domain.search import SearchSpec
from nas.domain.search_space import SearchSpace
from nas.engine.jobs import capture_job
from nas.engine.prepare import Preparation
from nas.estimation.execute import execute
from nas.estimation.features import Features
from nas.estimation.supplies import on_features, warm_teacher
from nas.space.teachers.load import LoadedTeacher
from storage.workspaces import AnyWorkspace, open_workspace


@dataclass(frozen=True)
class Prepared:
    """A spec with everything that its architectures are made of.

    Attributes:
        data: Where artifacts, journal and features lie.
        costs: Prices of the space; holds the library.
    """

    spec: SearchSpec
    data: Path
    space: SearchSpace
    costs: ExactCosts

    @property
    def workspace(self) -> AnyWorkspace:
        """What jobs may touch."""
        return open_workspace(self.data)

    def teacher(self) -> LoadedTeacher:
        """The teacher, loaded once per process."""
        import torch

        torch.set_num_threads(1)
        return warm_teacher(self.spec.teacher, torch.device("cpu"))

    def features(self) -> Features:
        """The captured features, captured anew where they are missing."""
        payload = capture_job(self.spec).payload
        return on_features(self.teacher(), payload, self.workspace, lambda features: features)

    @property
    def first(self) -> tuple[int, ...]:
        """Codes of the network that keeps every block of the teacher."""
        return (0,) * len(self.space.stages)


def prepare(spec: SearchSpec, data: Path, processes: int = 1) -> Prepared:
    """Capture, distil, count and time whatever the data directory lacks.

    Args:
        spec: Its teacher carries a fingerprint.
        data: A data directory; goes on where an earlier call was killed.
        processes: How many blocks are distilled at a time. Latencies are timed one by one, at the end.
    """
    workspace = open_workspace(data)
    search = as_search(spec)
    stages = tuple(stage.name for stage in _teacher(spec).denoiser.stages)
    preparation = Preparation(search, stages)
    while missing := preparation.missing():
        for key, result in _results(list(missing.values()), data, workspace, processes):
            preparation.accept(key, result)
            print(f"{preparation.done}/{preparation.total} {_told(missing[key])}", file=sys.stderr, flush=True)
    costs = preparation.costs()
    assert costs is not None
    return Prepared(spec=spec, data=data, space=search.space, costs=costs)


def _teacher(spec: SearchSpec) -> LoadedTeacher:
    import torch

    return warm_teacher(spec.teacher, torch.device("cpu"))


def _results(jobs: list[Job], data: Path, workspace: AnyWorkspace, processes: int) -> Iterable[tuple[str, Result]]:
    if processes == 1 or len(jobs) == 1:
        yield from ((job.key, execute(job, workspace)) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        yield from pool.imap_unordered(_executed, [(job, data) for job in jobs])


def _executed(work: tuple[Job, Path]) -> tuple[str, Result]:
    job, data = work
    return job.key, execute(job, open_workspace(data))


def _told(job: Job) -> str:
    payload = job.payload
    place = (getattr(payload, "stage", ""), getattr(payload, "variant", ""))
    return f"{payload.kind} {'/'.join(part for part in place if part)}".strip()
