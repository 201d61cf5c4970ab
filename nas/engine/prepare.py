"""Which jobs must be done before the first trial, and what their results add up to."""

from __future__ import annotations

import itertools

from nas.domain.architecture import TEACHER_VARIANT, Architecture
from nas.domain.cost import ExactCosts, LatencyTable
from nas.domain.device import LatencyMeasurement
from nas.domain.job import CountFloor, DistillBlock, FeatureSet, Job, MeasureBlock, Result
from nas.domain.library import BlockLibrary, LibraryEntry, NetworkFloor
from nas.domain.metric import is_exact
from nas.domain.objective import Problem
from nas.domain.search import Search, SearchSpec
from nas.domain.search_space import SearchSpace
from nas.domain.value import FrozenDict
from nas.engine.fingerprints import Fingerprints
from nas.engine.jobs import block_latency_job, capture_job, distillation_job, floor_job
from nas.errors import InfeasibleSpec
from nas.ports import UnitOfWork

FLOOR = ""
"""Stage name under which stem and head are timed."""


class Preparation:
    """The block library of one search while it is being completed.

    Results are shared by all searches through their keys: what another search made is found, not
    made again. Only the capture is asked for anew by every driver, because only a worker can tell
    whether the features still lie on its disk; if they do, it answers at once.

    Args:
        stages: Every stage of the teacher, searched or not, in order of execution.
    """

    def __init__(self, search: Search, stages: tuple[str, ...]) -> None:
        self._stages = stages
        spec = search.spec
        variants = _variants(search.space, stages)
        self._capture = capture_job(spec)
        blocks = {place: distillation_job(spec, *place) for place in variants}
        latencies = _latency_jobs(spec, variants)
        self._floor_key, self._capture_key = floor_job(spec).key, self._capture.key
        self._block_keys = {place: job.key for place, job in blocks.items()}
        self._latency_keys = {
            metric: {place: job.key for place, job in timed.items()} for metric, timed in latencies.items()
        }
        timings = (job for timed in latencies.values() for job in timed.values())
        jobs = (self._capture, floor_job(spec), *blocks.values(), *timings)
        self._jobs: dict[str, Job] = {job.key: job for job in jobs}
        self._results: dict[str, Result] = {}
        self._doubted: set[str] = set()
        self._fingerprints = Fingerprints(
            {key: metric for metric, timed in self._latency_keys.items() for key in timed.values()}
        )

    @property
    def total(self) -> int:
        """Number of results the search needs."""
        return len(self._jobs)

    @property
    def done(self) -> int:
        """Number of results at hand."""
        return len(self._results)

    @property
    def lacks_work(self) -> bool:
        """Whether anything but the capture is missing."""
        return bool(self._jobs.keys() - self._results.keys() - {self._capture_key})

    def recall(self, uow: UnitOfWork) -> None:
        """Take over whatever was made before, by this search or by any other."""
        for key in self._jobs.keys() - self._results.keys() - self._doubted:
            result = _known(uow, key, self._jobs[key])
            if result is not None:
                self._results[key] = result
                self._fingerprints.found(key, result)
        self._measure_anew(self._fingerprints.outvoted())

    def accept(self, key: str, result: Result) -> None:
        """Take a result that just arrived."""
        self._results[key] = result
        self._doubted.discard(key)
        self._measure_anew(self._fingerprints.arrived(key, result))

    def _measure_anew(self, keys: set[str]) -> None:
        """Forget what another device measured under the same name: a table speaks of one device."""
        self._doubted |= keys
        for key in keys:
            self._results.pop(key, None)

    @property
    def quarrel(self) -> str:
        """Why no table will ever be complete: devices of one name that are not the same answer in turn."""
        return self._fingerprints.quarrel

    def doubt(self, architecture: Architecture) -> None:
        """Ask the workers again for the blocks of an architecture, whatever the rows say.

        A worker whose weights are still there answers from its journal; if not, it makes them anew.
        """
        keys = {self._block_keys[place] for place in architecture.choices.items()}
        self._doubted |= keys
        for key in keys:
            self._results.pop(key, None)

    def missing(self) -> dict[str, Job]:
        """Jobs by key that may start now.

        First the capture, then everything that reads it, at last the latencies one by one: a clock
        wants a quiet machine.
        """
        if self._capture_key not in self._results:
            return {self._capture_key: self._capture}
        lacking = {key: job for key, job in self._jobs.items() if key not in self._results}
        at_once = {key: job for key, job in lacking.items() if not isinstance(job.payload, MeasureBlock)}
        return at_once or dict(itertools.islice(lacking.items(), 1))

    def costs(self) -> ExactCosts | None:
        """Prices of the whole space, or None while something is missing."""
        if self.done < self.total:
            return None
        entries = {
            f"{stage}/{variant}": entry
            for (stage, variant), key in self._block_keys.items()
            if isinstance(entry := self._results[key], LibraryEntry)
        }
        floor = self._results[self._floor_key]
        assert isinstance(floor, NetworkFloor)
        library = BlockLibrary(entries=FrozenDict(entries), floor=floor.cost)
        return ExactCosts(stages=self._stages, library=library, tables=self._tables())

    def _tables(self) -> tuple[LatencyTable, ...]:
        return tuple(self._table(metric, keys) for metric, keys in self._latency_keys.items())

    def _table(self, metric: str, keys: dict[tuple[str, str], str]) -> LatencyTable:
        found = {place: self._results[key] for place, key in keys.items()}
        measured = {place: one for place, one in found.items() if isinstance(one, LatencyMeasurement)}
        floor = measured.pop((FLOOR, TEACHER_VARIANT))
        blocks = {f"{stage}/{variant}": one for (stage, variant), one in measured.items()}
        return LatencyTable.of(metric, floor, blocks)


def describe(job: Job) -> dict[str, str]:
    """Which part of the library a job makes, in the words of the event log."""
    payload = job.payload
    place: dict[str, str] = {"job": payload.kind}
    if isinstance(payload, DistillBlock | MeasureBlock):
        place |= {"stage": payload.stage or "stem and head", "variant": payload.variant}
    return place


def _known(uow: UnitOfWork, key: str, job: Job) -> Result | None:
    match job.payload:
        case DistillBlock():
            return uow.library.entry(key)
        case MeasureBlock():
            return uow.library.latency(key)
        case CountFloor():
            stored = uow.evaluations.recall(key)
            return NetworkFloor.model_validate_json(stored) if stored else None
    return None  # a capture: only a worker knows


def keep_result(uow: UnitOfWork, key: str, result: Result) -> None:
    """Make a result durable under its job's key; the first one of a key wins."""
    match result:
        case LibraryEntry():
            uow.library.add_entry(result)
        case LatencyMeasurement():
            uow.library.add_latency(key, result)
        case FeatureSet():
            pass
        case _:
            uow.evaluations.record(key, result.model_dump_json())


def require_attainable(problem: Problem, space: SearchSpace, costs: ExactCosts) -> None:
    """Refuse bounds that no architecture of the space can respect.

    Raises:
        InfeasibleSpec: Naming the tightest attainable value.
    """
    for constraint in problem.constraints:
        if not is_exact(constraint.metric):
            continue
        tightest = costs.tightest(space, constraint.metric)
        if tightest > constraint.at_most:
            raise InfeasibleSpec(
                f"No architecture of the space has {constraint.metric} of at most {constraint.at_most:g}.",
                f"The tightest attainable value is {tightest:g}.",
            )


def _variants(space: SearchSpace, stages: tuple[str, ...]) -> list[tuple[str, str]]:
    searched = {choices.stage: choices.variants for choices in space.stages}
    return [
        (stage, variant) for stage in stages for variant in dict.fromkeys((TEACHER_VARIANT, *searched.get(stage, ())))
    ]


def _latency_jobs(spec: SearchSpec, variants: list[tuple[str, str]]) -> dict[str, dict[tuple[str, str], Job]]:
    """By the metric that they give, then by place."""
    places = [(FLOOR, TEACHER_VARIANT), *variants]
    return {
        timed.table_metric.name: {place: block_latency_job(spec, timed.spec, *place) for place in places}
        for timed in spec.devices
    }
