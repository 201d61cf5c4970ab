from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.coordinator.shares import Standing, divided, in_turn, quota_of, searches_of, slots_of

names = st.text("abcdef", min_size=1, max_size=3)


@given(st.integers(0, 200), st.dictionaries(names, st.integers(0, 20), max_size=8))
def test_parts_add_up_and_nobody_is_a_whole_one_away_from_fair(total: int, weights: dict[str, int]) -> None:
    parts = divided(total, weights)
    whole = sum(weights.values())
    assert sum(parts.values()) == (total if whole else 0)
    assert all(abs(parts[name] - total * weights[name] / whole) < 1 for name in weights if whole)


def coordinators(*searches: int, place: str = "here") -> list[Standing]:
    return [Standing(f"c{number}", place, {"p": count}) for number, count in enumerate(searches)]


def test_one_coordinator_has_everything() -> None:
    assert slots_of("c0", 16.0, coordinators(3)) == 16.0


def test_slots_follow_the_searches_and_an_idle_coordinator_leaves_them_to_the_others() -> None:
    alive = coordinators(3, 1, 0)
    assert [slots_of(one.id, 16.0, alive) for one in alive] == [12.0, 4.0, 0.0]
    assert slots_of("c0", 16.0, coordinators(3, 0)) == 16.0
    assert slots_of("c1", 16.0, coordinators(0, 0)) == 16.0


def test_a_coordinator_that_only_packs_networks_has_a_slot() -> None:
    alive = [*coordinators(3), Standing("packer", "here", exports=1)]
    assert slots_of("packer", 4.0, alive) == 1.0


def test_machines_of_others_are_not_shared() -> None:
    alive = [*coordinators(3), Standing("far", "there", {"p": 5})]
    assert slots_of("c0", 2.0, alive) == 2.0


@given(st.integers(0, 9), st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(0, 99))
def test_no_slot_is_given_twice(total: int, searches: list[int], turn: int) -> None:
    alive = coordinators(*searches)
    shares = [slots_of(one.id, float(total), alive, turn) for one in alive if one.wants]
    assert sum(shares) == (total if shares else 0)
    assert len(shares) > total or all(share >= 1 for share in shares)


@given(st.integers(1, 5), st.integers(2, 6), st.integers(0, 99))
def test_where_slots_are_few_everybody_has_one_in_turn(total: int, count: int, turn: int) -> None:
    alive = coordinators(*[1] * count)
    for one in alive:
        assert sum(slots_of(one.id, float(total), alive, turn + later) for later in range(count)) >= min(total, 1)


def test_a_quota_holds_for_all_coordinators_together() -> None:
    alive = coordinators(4, 2, 2)
    assert [quota_of(one.id, "p", 8, alive) for one in alive] == [4, 2, 2]
    assert [quota_of(one.id, "p", 1, alive) for one in alive] == [1, 0, 0]


def test_somebody_without_searches_of_a_project_asks_for_its_first() -> None:
    alive = coordinators(1)
    assert quota_of("new", "p", 1, alive) == 0
    assert quota_of("new", "p", 4, alive) == 2
    assert quota_of("new", "q", 1, alive) == 1


def test_no_coordinator_takes_what_others_should_drive() -> None:
    assert searches_of(20, 64, 2) == 10
    assert searches_of(3, 64, 2) == 2
    assert searches_of(1000, 64, 2) == 64


def test_projects_take_turns_and_within_one_the_oldest_comes_first() -> None:
    waiting = [("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b")]
    assert in_turn(waiting, {}) == ["a1", "b1", "a2", "a3"]
    assert in_turn(waiting, {"a": 5})[0] == "b1"
