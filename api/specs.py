"""From a document to a search spec: every fault at once, schema and meaning alike."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from api.documents import as_json, read_document
from api.spec_checks import TeacherFacts, faults_against_teacher, faults_of_meaning, space_of
from nas.domain.faults import faults_of, place_of
from nas.domain.search import SearchSpec
from nas.domain.search_space import SearchSpace
from nas.domain.value import Value
from nas.errors import Fault, NasError, SpecError

Describe = Callable[[SearchSpec], TeacherFacts]
"""Looks at a spec's teacher.

Raises:
    NasError: If there is no such teacher, or it is not trusted or not supported.
"""


class CheckedSpec(Value):
    """A spec that can be run, with everything left open filled in."""

    spec: SearchSpec
    space: SearchSpace
    stages: tuple[str, ...]


def read_spec_file(
    path: Path, describe: Describe, names: dict[str, tuple[str, ...]], roots: tuple[Path, ...]
) -> CheckedSpec:
    """Read and check a spec file.

    Raises:
        SpecError: With every fault found.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError((Fault("", f"cannot read {path}: {error.strerror}"),)) from None
    except UnicodeDecodeError:
        raise SpecError((Fault("", f"{path} is not UTF-8 text"),)) from None
    return check_spec(read_document(text), describe, names, roots)


def check_spec(
    document: dict[str, Any], describe: Describe, names: dict[str, tuple[str, ...]], roots: tuple[Path, ...]
) -> CheckedSpec:
    """Check a document against the schema, the registries and its teacher.

    Args:
        document: Plain values, as read.
        describe: Looks at the teacher.
        names: Registered names by kind: `strategy`, `device`.
        roots: Folders from which files may be named.

    Raises:
        SpecError: With every fault found, whether of form or of meaning.
    """
    spec, faults = _parse(document)
    faults.extend(faults_of_meaning(spec, names, roots))
    facts: TeacherFacts | None = None
    if not any(fault.pointer.startswith("/teacher") for fault in faults):
        try:
            facts = describe(spec)
        except SpecError as error:
            faults.extend(error.faults)
        except NasError as error:
            faults.append(Fault("/teacher/source", str(error)))
    if facts is not None:
        faults.extend(faults_against_teacher(spec, facts))
    known = {fault.pointer: fault for fault in reversed(faults)}
    if known:
        raise SpecError(tuple(sorted(known.values(), key=lambda fault: fault.pointer)))
    assert facts is not None  # no facts means a fault above
    space = space_of(spec, facts)
    size = spec.calibration.latent_size or facts.sample_size
    spec = spec.evolve(calibration=spec.calibration.evolve(latent_size=size))
    return CheckedSpec(spec=spec, space=space, stages=facts.stages)


def _parse(document: dict[str, Any]) -> tuple[SearchSpec, list[Fault]]:
    """The spec with faulty fields at their defaults, so that the rest can be checked too."""
    faults: list[Fault] = []
    document = copy.deepcopy(document)
    for _ in range(8):  # a repaired parent may uncover a fault that its child hid
        try:
            return SearchSpec.model_validate_json(as_json(document)), faults
        except ValidationError as error:
            known = {fault.pointer for fault in faults}
            faults.extend(fault for fault in faults_of(error, SearchSpec) if fault.pointer not in known)
            for detail in error.errors():
                _repair(document, place_of(detail))
    raise SpecError(tuple(faults))


def _repair(document: dict[str, Any], location: tuple[str | int, ...]) -> None:
    """Put a faulty field back to its default, and nothing else, so that its neighbours are still checked."""
    if location in {("name",), ()}:
        document["name"] = "unnamed"
        return
    if location[0] == "constraints" and len(location) > 1 and isinstance(location[1], int):
        _repair_constraint(document["constraints"], location[1], str(location[-1]))
        return
    current: Any = document
    for part in location[:-1]:
        if not isinstance(current, dict) or not isinstance(current.get(part), dict):
            location = (part,)
            break
        current = current[part]
    if isinstance(current, dict):
        current.pop(location[-1], None)


def _repair_constraint(constraints: list[Any], position: int, field: str) -> None:
    stand_in = {"metric": "noise_mse", "at_most": 1.0}  # keeps the places of the others, and their pointers
    given = constraints[position]
    if not isinstance(given, dict) or (field not in stand_in and field not in given):
        constraints[position] = stand_in
    elif field in stand_in:
        constraints[position] = {**given, field: stand_in[field]}
    else:
        del given[field]
