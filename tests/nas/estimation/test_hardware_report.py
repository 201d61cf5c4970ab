from __future__ import annotations

import numpy as np
import pytest

from nas.domain.architecture import Architecture
from nas.domain.cost import ExactCosts, LatencyTable
from nas.domain.library import BlockCost, BlockLibrary, LibraryEntry
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.value import FrozenDict
from nas.estimation.counter_examples import counter_example
from nas.estimation.hardware_report import Judged, MeasuredOn, hardware_report
from nas.estimation.latency_residual import additivity, corrected

# The inner stage holds the params, the outer one the time; the fixed one has a little of both.
PARAMS = {"E1/teacher": 10, "E1/R": 8, "Mid/teacher": 80, "Mid/R": 20, "D1/teacher": 10}
MS = {"E1/teacher": 6.0, "E1/R": 2.0, "Mid/teacher": 1.0, "Mid/R": 0.9, "D1/teacher": 2.0}
SPACE = SearchSpace(stages=tuple(StageChoices(stage=stage, variants=("teacher", "R")) for stage in ("E1", "Mid")))


def costs(*metrics: str) -> ExactCosts:
    entries = {
        place: LibraryEntry(
            key=place,
            stage=place.split("/")[0],
            variant=place.split("/")[1],
            cost=BlockCost(params=params, macs=params * 10**9, attention_macs=0),
            block_loss=0.0,
        )
        for place, params in PARAMS.items()
    }
    library = BlockLibrary(entries=FrozenDict(entries), floor=BlockCost(params=0, macs=0, attention_macs=0))
    tables = [LatencyTable(device="host", blocks_ms=FrozenDict(MS), floor_ms=1.0, metric=name) for name in metrics]
    return ExactCosts(stages=("E1", "Mid", "D1"), library=library, tables=tuple(tables))


def architecture(**choices: str) -> Architecture:
    return Architecture(choices=FrozenDict({"E1": "teacher", "Mid": "teacher", **choices}))


JUDGED = Judged(
    numbers=(0, 3, 5, 8),
    architectures=(architecture(), architecture(E1="R"), architecture(Mid="R"), architecture(E1="R", Mid="R")),
    fidelity="noise_mse",
    losses=(0.0, 0.2, 0.1, 0.4),
)
HOST = MeasuredOn("host", "measured", "table_latency_ms", "latency_ms", {0: 9.0, 3: 5.4, 5: 8.9, 8: 5.3})


def test_each_stage_is_told_by_its_share_of_the_teacher_and_what_it_can_save() -> None:
    stages = {
        one["stage"]: one for one in hardware_report(SPACE, costs("table_latency_ms"), (HOST,), JUDGED)["stages"]
    }
    assert stages["Mid"]["share"] == pytest.approx({"params": 0.8, "gmacs": 0.8, "table_latency_ms": 0.1})
    assert stages["Mid"]["saves_at_most"]["params"] == pytest.approx(0.6)
    assert stages["Mid"]["saves_at_most"]["table_latency_ms"] == pytest.approx(0.01)
    assert stages["E1"]["saves_at_most"]["table_latency_ms"] == pytest.approx(0.4)
    assert stages["D1"]["saves_at_most"]["params"] == 0.0


def test_agreement_is_over_the_whole_space_and_over_what_was_measured() -> None:
    lines = hardware_report(SPACE, costs("table_latency_ms"), (HOST,), JUDGED)["agreement"]
    told = {(one["first"], one["second"], one["over"]): one["kendall_tau"] for one in lines}
    # Of six pairs params and latency order the two that change one stage against each other differently.
    assert told["params", "table_latency_ms", "space"] == pytest.approx(4 / 6)
    assert told["table_latency_ms", "latency_ms", "measured"] == pytest.approx(1.0)
    assert told["params", "latency_ms", "measured"] == pytest.approx(4 / 6)


def test_the_fronts_of_two_figures_and_what_only_one_of_them_has() -> None:
    fronts = hardware_report(SPACE, costs("table_latency_ms"), (HOST,), JUDGED)["fronts"]
    assert fronts["members"]["params"] == [0, 5, 8]
    assert fronts["members"]["table_latency_ms"] == [0, 3, 5, 8]
    both = {(one["first"], one["second"]): one for one in fronts["disagreement"]}
    assert both["table_latency_ms", "params"]["only_first"] == [3]
    assert both["params", "table_latency_ms"] == {
        "first": "params",
        "second": "table_latency_ms",
        "only_first": [],
        "shared": 3,
    }


def test_a_counter_example_is_told_in_words_with_the_stages_to_blame() -> None:
    examples = hardware_report(SPACE, costs("table_latency_ms"), (HOST,), JUDGED)["counter_examples"]
    found = next(one for one in examples if one["figure"] == "params")
    assert (found["cheaper"], found["dearer"]) == (5, 3)
    assert found["saves"] == pytest.approx(1 - 40 / 98)
    assert found["slower"] == pytest.approx(8.9 / 5.4 - 1)
    assert found["stages_ms"] == pytest.approx({"E1": 4.0, "Mid": -0.1})
    assert found["words"] == (
        "Trial 5 has 59 % fewer params than trial 3 and is 65 % slower on host (measured), because E1 is teacher "
        "instead of R (+4.00 ms), while Mid is R instead of teacher (-0.10 ms)."
    )


def test_where_few_networks_were_measured_the_table_speaks() -> None:
    few = MeasuredOn("host", "measured", "table_latency_ms", "latency_ms", {0: 9.0})
    report = hardware_report(SPACE, costs("table_latency_ms"), (few,), JUDGED)
    assert all(not one["is_measured"] for one in report["counter_examples"])
    assert report["additivity"] == []
    assert {one["over"] for one in report["agreement"]} == {"space"}


def test_figures_that_agree_have_no_counter_example() -> None:
    rising = np.array([1.0, 2.0, 3.0])
    assert counter_example(rising, 2 * rising) is None
    assert counter_example(rising[:1], rising[:1]) is None


def test_a_constant_factor_between_table_and_network_is_corrected_away() -> None:
    table = np.array([4.0, 5.0, 6.5, 8.0, 9.0])
    told = additivity(table, 0.8 * table)
    assert told["bias"] == pytest.approx(-0.2)
    assert told["mean_error"] == told["worst_error"] == pytest.approx(0.25)
    assert told["corrected_error"] == pytest.approx(0.0, abs=1e-9)
    assert told["kendall_tau"] == pytest.approx(1.0)


def test_a_power_law_is_learned_where_networks_differ_and_not_where_they_hardly_do() -> None:
    wide = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    assert corrected(wide, wide**0.8, np.array([3.0])) == pytest.approx([3.0**0.8], rel=0.01)
    narrow = np.array([1.0, 1.001, 1.002])
    noisy = np.array([1.0, 1.05, 0.95])
    assert corrected(narrow, noisy, np.array([2.0])) == pytest.approx([2.0], rel=0.02)


def test_two_devices_of_a_large_space_are_compared_over_a_sample() -> None:
    stages = tuple(StageChoices(stage=f"S{n}", variants=("teacher", "R")) for n in range(13))
    blocks = {
        f"S{n}/{variant}": float(n + 1 + (variant == "teacher")) for n in range(13) for variant in ("teacher", "R")
    }
    entries = {
        place: LibraryEntry(
            key=place,
            stage=place.split("/")[0],
            variant=place.split("/")[1],
            cost=BlockCost(params=int(ms), macs=0, attention_macs=0),
            block_loss=0.0,
        )
        for place, ms in blocks.items()
    }
    library = BlockLibrary(entries=FrozenDict(entries), floor=BlockCost(params=1, macs=0, attention_macs=0))
    names = ("table_latency_ms", "table_latency_ms_phone")
    tables = [LatencyTable(device=name, blocks_ms=FrozenDict(blocks), floor_ms=1.0, metric=name) for name in names]
    exact = ExactCosts(stages=tuple(one.stage for one in stages), library=library, tables=tuple(tables))
    devices = tuple(MeasuredOn(name, "model", name, name, {}) for name in names)
    report = hardware_report(SearchSpace(stages=stages), exact, devices, Judged((), (), "noise_mse", ()))
    assert report["architectures"] == 4096
    told = {(one["first"], one["second"]): one["kendall_tau"] for one in report["agreement"]}
    assert told[names] == pytest.approx(1.0)
    assert told["gmacs", "table_latency_ms"] is None  # constant
    assert report["fronts"]["members"] == {"params": [], "gmacs": [], names[0]: [], names[1]: []}
