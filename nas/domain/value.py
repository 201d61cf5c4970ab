"""Base of every domain value: immutable, strict, equal by digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

K = TypeVar("K")
V = TypeVar("V")


@lru_cache(maxsize=1024)
def _places(keys: tuple[Any, ...]) -> dict[Any, int]:
    """Where each key's value stands; one object for all mappings of the same keys."""
    return {key: place for place, key in enumerate(keys)}


class FrozenDict(Mapping[K, V]):
    """A mapping that cannot change, can be hashed and pickles.

    A frozen pydantic model with a plain dict inside is neither: this closes the hole. Mappings of the same
    keys in the same order share them, because trials by the thousand have the same stages and metrics.
    """

    __slots__ = ("_places", "_values")

    def __init__(self, items: Mapping[K, V] | None = None) -> None:
        given = dict(items or {})
        self._places: dict[K, int] = _places(tuple(given))
        self._values: tuple[V, ...] = tuple(given.values())

    def __getitem__(self, key: K) -> V:
        return self._values[self._places[key]]

    def __iter__(self) -> Iterator[K]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._plain().items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._plain() == dict(other)

    def __repr__(self) -> str:
        return f"FrozenDict({self._plain()!r})"

    def __reduce__(self) -> tuple[type[FrozenDict[K, V]], tuple[dict[K, V]]]:
        return FrozenDict, (self._plain(),)

    def _plain(self) -> dict[K, V]:
        return dict(zip(self._places, self._values, strict=True))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        key, value = get_args(source) or (Any, Any)
        plain = handler.generate_schema(dict[key, value])  # type: ignore[valid-type]  # built at run time
        frozen = core_schema.no_info_after_validator_function(cls, plain)
        return core_schema.json_or_python_schema(
            json_schema=frozen,
            python_schema=core_schema.no_info_before_validator_function(
                lambda given: given._plain() if isinstance(given, FrozenDict) else given, frozen
            ),
            serialization=core_schema.wrap_serializer_function_ser_schema(
                lambda value, serialize: serialize(value._plain()), schema=plain
            ),
        )


class Value(BaseModel):
    """An immutable value. Two values are the same when their canonical JSON is.

    Strict on purpose: `True` is no integer, `"5"` is no number, NaN is nothing. Values are made by
    their constructor or by `model_validate_json`; never by `model_copy(update=...)`, which skips
    validation: use `evolve`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def model_post_init(self, _context: Any, /) -> None:
        """Have all instances share one set of field names: it is most of what a small one weighs."""
        object.__setattr__(self, "__pydantic_fields_set__", _field_names(type(self)))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return digest_of(self.model_dump(mode="json"))

    def evolve(self, **changes: Any) -> Any:
        """A validated copy with some fields changed."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**fields, **changes})

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@cache
def _field_names(kind: type[Value]) -> set[str]:
    return set(kind.model_fields)


def canonical_json(document: Any) -> str:
    """The one JSON text of a document: sorted keys, no blanks, no NaN."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def digest_of(document: Any) -> str:
    """SHA-256 of the canonical JSON of a document."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()
