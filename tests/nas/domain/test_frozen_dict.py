from __future__ import annotations

import pickle
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from nas.domain.value import FrozenDict

DICTS = st.dictionaries(st.text(max_size=3), st.integers(), max_size=6)


@given(DICTS, DICTS)
def test_it_reads_like_the_dict_it_was_made_of(items: dict[str, int], others: dict[str, int]) -> None:
    frozen = FrozenDict(items)
    assert list(frozen.items()) == list(items.items())
    assert len(frozen) == len(items)
    assert (frozen == FrozenDict(others)) == (frozen == others) == (items == others)
    assert frozen.get("none of them") is None
    assert pickle.loads(pickle.dumps(frozen)) == frozen
    assert repr(frozen) == f"FrozenDict({items!r})"


@given(DICTS)
def test_order_is_kept_but_no_part_of_its_identity(items: dict[str, int]) -> None:
    frozen, turned = FrozenDict(items), FrozenDict(dict(reversed(items.items())))
    assert frozen == turned
    assert hash(frozen) == hash(turned)
    assert list(turned) == list(reversed(items))


@given(DICTS)
def test_its_json_is_that_of_a_dict(items: dict[str, int]) -> None:
    adapter = TypeAdapter(FrozenDict[str, int])
    text = adapter.dump_json(FrozenDict(items))
    assert text == TypeAdapter(dict[str, int]).dump_json(items)
    assert list(adapter.validate_json(text).items()) == list(items.items())


def test_a_missing_key_is_missed_loudly() -> None:
    with pytest.raises(KeyError, match="absent"):
        FrozenDict({"present": 1})["absent"]


def test_what_it_was_made_of_may_change_afterwards() -> None:
    items = {"a": 1}
    frozen = FrozenDict(items)
    items["a"] = items["b"] = 2
    assert frozen == {"a": 1}


def test_another_one_with_the_same_keys_costs_only_its_values() -> None:
    items = {f"stage {place}": "R" for place in range(30)}
    FrozenDict(items)
    tracemalloc.start()
    try:
        many = [FrozenDict(items) for _ in range(1_000)]
        weight = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert weight / len(many) < 0.5 * dict(items).__sizeof__()
