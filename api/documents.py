"""Reading what users write: YAML or JSON, bounded, and never executing anything."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterator
from typing import Any, Final

import yaml

from nas.errors import Fault, SpecError

MAX_DOCUMENT_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML without aliases (no bombs) and without repeated keys (no surprises)."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise yaml.MarkedYAMLError(problem="a key is repeated", problem_mark=node.start_mark)
        return mapping


# YAML 1.1 reads `1e-3` as text; everybody who writes a learning rate means a number (as YAML 1.2 does).
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def read_document(text: str) -> dict[str, Any]:
    """Parse YAML or JSON (a subset of it) into plain values.

    Raises:
        SpecError: If it is too large, too deep, no mapping, or no YAML at all.
    """
    if len(text.encode(errors="replace")) > MAX_DOCUMENT_BYTES:
        raise SpecError((Fault("", f"the document is larger than {MAX_DOCUMENT_BYTES // 1024} KiB"),))
    try:
        document = yaml.load(text, _StrictLoader)
    except yaml.MarkedYAMLError as error:
        where = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SpecError((Fault("", f"this is no valid YAML: {error.problem}{where}"),)) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise SpecError((Fault("", f"this cannot be read as YAML: {error}"),)) from None
    return _bounded(document)


def read_json_document(text: str) -> dict[str, Any]:
    """Parse JSON into plain values; repeated keys, NaN and deep nesting are refused as in YAML.

    Raises:
        SpecError: If it is too large, too deep, no object, or no JSON at all.
    """
    try:
        document = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise SpecError((Fault("", f"this is no valid JSON: {error.msg} at line {error.lineno}"),)) from None
    except (RecursionError, ValueError) as error:
        raise SpecError((Fault("", f"this cannot be read as JSON: {error}"),)) from None
    return _bounded(document)


def as_json(document: dict[str, Any]) -> str:
    """JSON text of parsed values; dates and other YAML extras become text, for the schema to judge."""
    return json.dumps(document, default=str)


def _bounded(document: object) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise SpecError((Fault("", "the document must be a mapping of fields to values", "name: my-search"),))
    if _depth(document) > MAX_DEPTH:
        raise SpecError((Fault("", f"the document is nested deeper than {MAX_DEPTH} levels"),))
    if not all(map(_is_plain, _texts(document))):
        raise SpecError((Fault("", "a text holds NUL or half a surrogate pair, which no file or name can"),))
    return document


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a key is repeated")
    return mapping


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield str(key)
            yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)


def _is_plain(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _depth(value: object) -> int:
    children: list[object] = []
    if isinstance(value, dict):
        children = list(value.values())
    elif isinstance(value, list):
        children = value
    return 1 + max((_depth(child) for child in children), default=0)
