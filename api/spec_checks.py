"""What a schema cannot know: names, paths, the teacher's stages, and whether a bound can be met."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nas.domain.cost import ExactCosts
from nas.domain.faults import pointer
from nas.domain.metric import FIDELITY_METRICS, LATENCY, METRIC_BY_NAME, TABLE_LATENCY, is_exact
from nas.domain.objective import Problem
from nas.domain.search import LatencySpec, Search, SearchSpec, TimedOn
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.value import Value
from nas.errors import Fault, nearest


class TeacherFacts(Value):
    """What a spec is checked against; counted on the meta device, no weights loaded.

    Attributes:
        variants: Variants offered per stage, in the order of execution.
        space: The default space.
        latent_multiple: Latent sizes must be a multiple of this.
        sample_size: The teacher's own latent size.
        costs: Exact costs of every variant at the spec's latent size; latency excluded.
    """

    variants: tuple[StageChoices, ...]
    space: SearchSpace
    latent_multiple: int
    sample_size: int
    costs: ExactCosts | None = None

    @property
    def stages(self) -> tuple[str, ...]:
        """Every stage, in the order of execution."""
        return tuple(choices.stage for choices in self.variants)


def faults_of_meaning(
    spec: SearchSpec, names: dict[str, tuple[str, ...]], roots: tuple[Path, ...]
) -> Iterator[Fault]:
    """Faults that need no teacher: registered names, metrics, files."""
    yield from _name_faults(spec, names)
    yield from _metric_faults(spec)
    yield from _pointless_problem(spec)
    yield from _path_faults(spec, roots)


def faults_against_teacher(spec: SearchSpec, facts: TeacherFacts) -> Iterator[Fault]:
    """Faults that only the teacher reveals: stages, variants, sizes, bounds nobody can meet."""
    yield from _space_faults(spec, facts)
    yield from _attainability_faults(spec, facts)


def faults_of_bounds(spec: SearchSpec) -> Iterator[Fault]:
    """Faults of objectives and bounds alone, for bounds that move while a search runs."""
    yield from _metric_faults(spec)
    yield from _pointless_problem(spec)


def unmeasured_latencies(search: Search, problem: Problem) -> Iterator[Fault]:
    """Measured latencies that a search's trials do not have, because it was not about them when it began."""
    tables = {timed.metric.name: timed.table_metric.name for timed in search.spec.devices}
    late = {name for name in tables if name not in search.problems[0].metrics}
    asked = [(pointer("objectives", place), name) for place, name in enumerate(problem.objectives)]
    asked += [(pointer("constraints", place, "metric"), one.metric) for place, one in enumerate(problem.constraints)]
    for where, name in asked:
        if name in late:
            yield Fault(where, "was not measured for the trials so far", tables[name])


def unattainable_bounds(spec: SearchSpec, space: SearchSpace, costs: ExactCosts) -> Iterator[Fault]:
    """Exact bounds that no architecture of a space can meet, each with the tightest attainable value."""
    for position, bound in enumerate(spec.constraints):
        is_priced = not bound.metric.startswith(TABLE_LATENCY.name) or costs.table(bound.metric) is not None
        if is_exact(bound.metric) and is_priced:
            least = costs.tightest(space, bound.metric)
            if least > bound.at_most:
                yield Fault(
                    pointer("constraints", position, "at_most"),
                    f"no architecture of the space is that small; the least {bound.metric} is {least:.6g}",
                    f"{least:.6g}",
                )


def space_of(spec: SearchSpec, facts: TeacherFacts) -> SearchSpace:
    """The space a spec asks for, stages in the order of execution."""
    if not spec.space:
        return facts.space
    order = [choices.stage for choices in facts.variants if choices.stage in spec.space]
    return SearchSpace(stages=tuple(StageChoices(stage=stage, variants=spec.space[stage]) for stage in order))


def _name_faults(spec: SearchSpec, names: dict[str, tuple[str, ...]]) -> Iterator[Fault]:
    strategies = (*names["strategy"], "auto")
    if spec.strategy.name not in strategies:
        yield _unknown("/strategy/name", "strategy", spec.strategy.name, strategies)
    for timed in spec.devices:
        if timed.spec.device not in names["device"]:
            yield _unknown(_of_device(spec, timed, "device"), "device", timed.spec.device, names["device"])
        offered = names.get(f"precision of {timed.spec.device}", ())
        if offered and timed.spec.protocol.precision not in offered:
            where = _of_device(spec, timed, "protocol", "precision")
            yield Fault(where, f"{timed.spec.device} does not run {timed.spec.protocol.precision}", offered[0])


def _of_device(spec: SearchSpec, timed: TimedOn, *field: str) -> str:
    """Where a device's field stands: the spec has one device or a list of them."""
    return pointer("latency", *([] if isinstance(spec.latency, LatencySpec) else [timed.position]), *field)


def _metric_faults(spec: SearchSpec) -> Iterator[Fault]:
    for position, name in enumerate(spec.fidelity.metrics):
        if name not in FIDELITY_METRICS:
            yield _unknown(pointer("fidelity", "metrics", position), "fidelity metric", name, FIDELITY_METRICS)
    tables = tuple(timed.table_metric.name for timed in spec.devices)
    elsewhere = (LATENCY.name, TABLE_LATENCY.name)
    measured = tuple(timed.metric.name for timed in spec.devices)
    searchable = (*(name for name in METRIC_BY_NAME if name not in elsewhere), *tables, *measured)
    asked = [(pointer("objectives", i), name) for i, name in enumerate(spec.objectives)]
    asked += [(pointer("constraints", i, "metric"), bound.metric) for i, bound in enumerate(spec.constraints)]
    for where, name in asked:
        if name in elsewhere and not tables:
            yield Fault(where, "needs a device to time", "latency: {device: host}")
        elif name not in searchable:
            yield _unknown(where, "metric to search by", name, searchable)
        elif name in FIDELITY_METRICS and name not in spec.fidelity.metrics:
            yield Fault(where, "is not measured; name it in /fidelity/metrics too", name)


def _pointless_problem(spec: SearchSpec) -> Iterator[Fault]:
    judged = (*spec.objectives, *(bound.metric for bound in spec.constraints))
    if not any(name in FIDELITY_METRICS for name in judged):
        yield Fault(
            "/constraints",
            "least cost without a bound on fidelity is the smallest network, however bad",
            "{metric: noise_mse_relative, at_most: 0.05}",
        )


def _path_faults(spec: SearchSpec, roots: tuple[Path, ...]) -> Iterator[Fault]:
    calibration = spec.calibration
    if (calibration.source == "images") != bool(calibration.path):
        yield Fault("/calibration/path", "is a folder of pictures, for source images and no other")
    files = [
        ("/calibration/path", calibration.path),
        ("/calibration/conditioning/path", calibration.conditioning.path),
    ]
    for where, name in files:
        if name:
            yield from _one_path(where, Path(name), roots)
    source = spec.teacher.source
    if source != "reference" and (source.startswith((".", "/", "~")) or Path(source).exists()):
        yield from _one_path("/teacher/source", Path(source), roots)


def _one_path(where: str, path: Path, roots: tuple[Path, ...]) -> Iterator[Fault]:
    resolved = path.expanduser().resolve()
    if not any(resolved.is_relative_to(root) for root in roots):
        allowed = ", ".join(str(root) for root in roots)
        yield Fault(where, f"lies outside the allowed folders ({allowed}); see BLOCKSMITH_ALLOWED_ROOTS")
    elif not resolved.exists():
        yield Fault(where, f"does not exist: {path}", nearest(path.name, _siblings(resolved)))


def _siblings(path: Path) -> list[str]:
    return [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []


def _space_faults(spec: SearchSpec, facts: TeacherFacts) -> Iterator[Fault]:
    offered = {choices.stage: choices.variants for choices in facts.variants}
    for stage, variants in spec.space.items():
        if stage not in offered:
            yield _unknown(pointer("space", stage), "stage of this teacher", stage, tuple(offered))
            continue
        for position, name in enumerate(variants):
            if name not in offered[stage]:
                yield _unknown(pointer("space", stage, position), f"variant of {stage}", name, offered[stage])
        if len(set(variants)) != len(variants):
            yield Fault(pointer("space", stage), "names a variant twice", str(list(dict.fromkeys(variants))))
    size = spec.calibration.latent_size
    if size % facts.latent_multiple:
        better = max(facts.latent_multiple, round(size / facts.latent_multiple) * facts.latent_multiple)
        yield Fault("/calibration/latent_size", f"must be a multiple of {facts.latent_multiple}", str(better))


def _attainability_faults(spec: SearchSpec, facts: TeacherFacts) -> Iterator[Fault]:
    space = known_part_of_space(spec, facts)
    if spec.budget.trials > space.size:
        yield Fault("/budget/trials", f"the space holds only {space.size} architectures", str(space.size))
    if facts.costs is not None:
        yield from unattainable_bounds(spec, space, facts.costs)


def known_part_of_space(spec: SearchSpec, facts: TeacherFacts) -> SearchSpace:
    """The space a spec asks for without what does not exist: what is left can still be checked."""
    if not spec.space:
        return facts.space
    known = [
        StageChoices(stage=offer.stage, variants=variants)
        for offer in facts.variants
        if (variants := tuple(v for v in dict.fromkeys(spec.space.get(offer.stage, ())) if v in offer.variants))
    ]
    return SearchSpace(stages=tuple(known)) if known else facts.space


def _unknown(where: str, kind: str, name: str, known: tuple[str, ...]) -> Fault:
    return Fault(where, f"there is no {kind} named {name!r}; known: {', '.join(known)}", nearest(name, known))
