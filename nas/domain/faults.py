"""Turns schema errors into faults a user can act on: pointer, reason, nearest right value."""

from __future__ import annotations

import math
import re
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nas.errors import Fault, nearest

_REASONS: Final[dict[str, str]] = {
    "missing": "is required",
    "extra_forbidden": "is not a field here",
    "finite_number": "must be a finite number",
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
}


def faults_of(error: ValidationError, model: type[BaseModel]) -> tuple[Fault, ...]:
    """Every fault of a failed validation, in document order and without repeats."""
    found = {
        _pointer(detail): Fault(_pointer(detail), reason(detail), _nearest(detail, model))
        for detail in error.errors()
    }
    return tuple(found.values())


def pointer(*parts: str | int) -> str:
    """JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _pointer(detail: ErrorDetails) -> str:
    return pointer(*place_of(detail))


def place_of(detail: ErrorDetails) -> tuple[str | int, ...]:
    """Where in the document a fault is, without what pydantic says of the schema in between.

    Mappings report the key's own faults under "[key]", and alternatives their names: the entry is what helps.
    """
    return tuple(part for part in detail["loc"] if not (isinstance(part, str) and part.startswith("[")))


def reason(detail: ErrorDetails) -> str:
    """What is wrong, as half a sentence about the field."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _REASONS:
        return _REASONS[kind]
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind == "value_error":
        return str(context["error"])
    message = detail["msg"]
    return (
        message.replace("Input should be", "must be").replace("Tuple should", "must").replace("String should", "must")
    )


def _nearest(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, given, context = detail["type"], detail.get("input"), detail.get("ctx", {})
    if kind == "extra_forbidden":
        return nearest(str(detail["loc"][-1]), _fields_at(model, place_of(detail)[:-1]))
    if kind == "literal_error":
        return nearest(str(given), re.findall(r"'([^']*)'", context["expected"]))
    if kind.endswith("_than_equal") or kind.startswith(("too_", "string_too_")):
        return str(context.get("ge", context.get("le", context.get("max_length", context.get("min_length", "")))))
    if kind in {"int_type", "int_from_float", "float_type"}:
        return _as_number(given, integer=kind != "float_type")
    return ""


def _as_number(given: object, *, integer: bool) -> str:
    try:
        value = float(str(given))
        if not math.isfinite(value):
            return ""  # no right value is near
        return str(round(value)) if integer else str(value)
    except (ValueError, OverflowError):
        return ""


def _fields_at(model: type[BaseModel], location: tuple[str | int, ...]) -> tuple[str, ...]:
    current: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        field = getattr(current, "model_fields", {}).get(part)
        if field is None:
            return ()
        current = _model_in(field.annotation)
    return tuple(getattr(current, "model_fields", {}))


def _model_in(annotation: Any) -> Any:
    """The pydantic model inside an annotation such as `tuple[Model, ...]` or `Model | None`."""
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if (found := _model_in(argument)) is not None:
            return found
    return None
