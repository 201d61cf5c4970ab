"""The bench of devices: order of its jobs, what it keeps, and its reports; nothing is measured."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.devices import backend_worker, backends
from benchmarks.devices.backend_jobs import FLOOR, Job, Records, blocks_of, canonical, planned
from benchmarks.devices.backend_report import report
from benchmarks.devices.clocks import in_turns
from benchmarks.devices.shares import report as shares_report
from benchmarks.devices.spreads import report as spreads_report
from nas.domain.device import Device, LatencyProtocol
from nas.domain.library import BlockCost
from nas.estimation.devices.base import measurement

STAGES = ("E1", "D1")
NETWORKS = [
    {"name": name, "choices": choices, "params": params, "gmacs": params / 7}
    for name, choices, params in (
        ("teacher", {}, 9.0),
        ("winner", {"E1": "R"}, 6.0),
        ("random 1", {"D1": "removed"}, 4.0),
        ("random 2", {"E1": "R", "D1": "removed"}, 1.0),
    )
]
BLOCKS_MS = {FLOOR: 1.0, "E1/teacher": 5.0, "E1/R": 3.0, "D1/teacher": 4.0, "D1/removed": 0.5}
TABLE_MS = (10.0, 8.0, 6.5, 4.5)
WAYS = {"torch-compile": "c", "litert": "l", "host": "h", "openvino": "o"}


def latency(ms: float, canary_ms: float = 0.5, name: str = "host") -> dict[str, Any]:
    kind = "measured" if canary_ms else "model"
    device = Device(name=name, backend=name, runtime="none 1", kind=kind)
    canaries = (canary_ms,) * 3 if canary_ms else ()
    return measurement("it", device, LatencyProtocol(), (ms,) * 3, canary_ms=canaries).model_dump(mode="json")


def record(job: Job, ms: float, slower: float = 1.0) -> dict[str, Any]:
    found = {"samples": 3, "wall": latency(ms * slower, 0.5 * slower), "processor": latency(ms), "job_s": 2.0}
    return {**job.head, **found}


def kept(device: str, factor: float) -> list[dict[str, Any]]:
    """Networks that take `factor` of what the table says, on a machine that is twice as slow for every other one."""
    networks = [
        record(Job(device, "network", canonical(one["choices"]), "", one["name"]), ms * factor, 1 + number % 2)
        for number, (one, ms) in enumerate(zip(NETWORKS, TABLE_MS, strict=True))
    ]
    return networks + [record(Job(device, "block", place, "", place), ms) for place, ms in BLOCKS_MS.items()]


def test_teacher_and_winner_come_first_everywhere_then_cheap_devices_in_turn_and_costly_ones_last() -> None:
    blocks = blocks_of(STAGES, NETWORKS)
    assert blocks == list(BLOCKS_MS)
    jobs = planned(WAYS, NETWORKS, blocks)
    assert len({job.key for job in jobs}) == len(jobs) == 4 * (4 + 5)
    assert [(job.device, job.name) for job in jobs[:3]] == [
        ("host", "teacher"),
        ("host", "winner"),
        ("openvino", "teacher"),
    ]
    assert {job.name for job in jobs[:8]} == {"teacher", "winner"}
    assert [job.device for job in jobs[8:12]] == ["host", "openvino"] * 2
    assert [job.device for job in jobs[22:]] == ["litert"] * 7 + ["torch-compile"] * 7
    kinds = [job.kind for job in jobs[-7:]]
    assert 0 < kinds.index("network") < kinds.index("network", kinds.index("network") + 1)  # among the blocks


def test_without_blocks_only_networks_are_measured() -> None:
    assert {job.kind for job in planned(WAYS, NETWORKS, [])} == {"network"}


def test_what_is_there_is_skipped_and_an_error_is_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(work: Any, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        asked.append(request["name"])
        if request["name"] == "winner":
            return {"error": "It hangs.", "job_s": 1.0}
        return {"wall": latency(1.0), "processor": None, "samples": 3, "job_s": 1.0}

    monkeypatch.setattr(backends, "alone", answer)
    path = tmp_path / "kept" / "devices.runs.jsonl"
    jobs = planned({"host": "h"}, NETWORKS, [])
    backends.make_missing(jobs[:2], Records(path), 1.0, again=False)
    path.write_bytes(path.read_bytes() + b'{"device": "host", "ki')  # killed while it wrote
    backends.make_missing(jobs, Records(path), 1.0, again=False)
    assert asked == ["teacher", "winner", "random 1", "random 2"]
    backends.make_missing(jobs, Records(path), 1.0, again=True)
    assert asked[4:] == ["winner"]
    found = Records(path).of(jobs)
    assert [one.get("error") for one in found] == [None, "It hangs.", None, None]


def test_another_way_of_measuring_is_another_measurement(tmp_path: Path) -> None:
    records = Records(tmp_path / "devices.runs.jsonl")
    before, after = (planned({"host": way}, NETWORKS, []) for way in ("before", "after"))
    for job in before:
        records.add(record(job, 1.0))
    assert records.missing(before) == []
    assert records.missing(after) == after


def test_a_process_that_crashes_hangs_or_raises_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_worker, "PRELOADED", [])
    work: Any
    for work, request, told in (
        (signal.raise_signal, signal.SIGFPE, "SIGFPE"),
        (time.sleep, 60, "longer than 3 s"),
        (int, "nothing", "ValueError: invalid literal"),
    ):
        found = backend_worker.alone(work, request, 3.0)  # type: ignore[arg-type]  # any function will do
        assert told in found["error"]
        assert found["job_s"] < 30
    assert set(backend_worker.alone(dict, {"answer": 1}, 30.0)) == {"answer", "job_s"}


def test_a_table_is_held_to_its_networks_by_both_clocks_steadied() -> None:
    document, tables = report(STAGES, NETWORKS, ["host", "openvino"], kept("host", 1.25) + kept("openvino", 1.0))
    held = {(row["device"], row["clock"]): row for row in document["additivity"]}
    assert set(held) == {("host", "wall"), ("host", "processor"), ("openvino", "wall"), ("openvino", "processor")}
    for clock in ("wall", "processor"):
        assert held["host", clock]["bias"] == pytest.approx(0.25)
        assert held["host", clock]["mean_error"] == pytest.approx(0.2)
        assert held["host", clock]["corrected_error"] == pytest.approx(0.0, abs=1e-9)
        assert held["openvino", clock]["worst_error"] == pytest.approx(0.0, abs=1e-9)
        assert held["openvino", clock]["kendall_tau"] == pytest.approx(1.0)
    assert document["latencies_ms"]["wall"]["winner"]["openvino"] == pytest.approx(8.0 * 1.5)  # the middle canary
    assert tables["Devices: medians over networks"][0]["blocks"] == 5


def test_errors_are_named_and_devices_without_a_latency_have_a_row() -> None:
    jobs = planned({"litert": ""}, NETWORKS, [])
    failed = [{**job.head, "error": "It cannot be converted.", "job_s": 1.0} for job in jobs]
    document, tables = report(STAGES, NETWORKS, ["host", "litert", "torch"], kept("host", 1.0) + failed)
    rows = tables["Devices: medians over networks"]
    assert [(row["device"], row["networks"], row["failed"], row["kind"]) for row in rows] == [
        ("host", "4 of 4", 0, "measured"),
        ("litert", "0 of 4", 4, "nothing that worked"),
        ("torch", "0 of 4", 0, "not measured"),
    ]
    assert all(row.keys() == rows[0].keys() for row in rows)
    assert document["errors"] == [
        {"device": "litert", "of": "4 networks", "first": "teacher", "error": "It cannot be converted."}
    ]


def test_agreement_is_over_the_networks_that_both_have() -> None:
    half = [one for one in kept("openvino", 1.0) if one["name"] != "winner"]
    document, tables = report(STAGES, NETWORKS, ["host", "openvino"], kept("host", 1.0) + half)
    pairs = {(one["first"], one["second"]): one for one in document["agreement"]["processor"]}
    assert pairs["params", "host"]["kendall_tau"] == pytest.approx(1.0)
    assert pairs["host", "openvino"]["networks"] == 3
    assert tables["Agreement in order (Kendall's tau), processor clock"][0]["host"] == "1.00 (4)"


def test_an_estimate_stands_in_both_columns_and_has_one_row_of_its_table() -> None:
    estimated = [
        {**one, "wall": latency(one["processor"]["median_ms"], 0.0, "model"), "processor": None}
        for one in kept("npu-small", 1.0)
    ]
    document, _ = report(STAGES, NETWORKS, ["npu-small"], estimated)
    assert [row["clock"] for row in document["additivity"]] == ["wall"]
    assert document["latencies_ms"]["wall"] == document["latencies_ms"]["processor"]
    assert document["devices"][0]["processor ms"] == ""


def test_the_canary_tells_two_networks_apart_that_a_drifting_machine_swaps() -> None:
    rows = []
    for turn, (slow_first, slow_second) in enumerate([(1.0, 1.0), (1.0, 1.5), (2.0, 1.0)]):
        for name, ms, slower in (("a", 10.0, slow_first), ("b", 9.0, slow_second)):
            wall = {"median_ms": ms * slower, "ratio": ms / 0.5, "canary_ms": 0.5 * slower}
            rows.append({"turn": turn, "network": name, "wall": wall, "processor": None})
    document, _ = spreads_report(rows, slower="a")
    order = {row["how"]: row for row in document["order"]}
    assert order["raw"]["right within a turn"] == "2 of 3"
    assert order["steadied"]["right within a turn"] == "3 of 3"
    assert order["steadied"]["difference %"] == pytest.approx(100 / 9)
    spreads = {(row["network"], row["how"]): row["farthest %"] for row in document["spreads"]}
    assert spreads["a", "raw"] == pytest.approx(100.0)
    assert spreads["a", "steadied"] == pytest.approx(0.0)


def test_stages_have_shares_of_the_whole_network() -> None:
    costs = {
        name: BlockCost(params=params, macs=macs, attention_macs=0)
        for name, params, macs in (("stem", 10, 10), ("E1", 10, 60), ("E4", 80, 30))
    }
    told = {"median_ms": 4.0, "interval_ms": [3.0, 5.0], "canary_ms": 0.5, "relative": [8.0, 6.0, 10.0]}
    timed = {name: {"wall": told, "processor": told} for name in ("E1", "E4")}
    document, tables = shares_report(costs, timed)
    assert [row["params %"] for row in document["groups"]] == pytest.approx([10.0, 80.0])
    assert [row["MACs %"] for row in document["groups"]] == pytest.approx([60.0, 30.0])
    assert [row["latency %"] for row in document["groups"]] == pytest.approx([50.0, 50.0])
    assert document["floor"] == {"stem": {"params": 10, "macs": 10}}
    assert next(iter(tables.values()))[0]["± %"] == pytest.approx(25.0)


def test_processor_time_leaves_warm_ups_out_and_takes_the_mean_of_a_row_of_canaries() -> None:
    warm_ups = [(True, 9.0), (False, 90.0)]
    log = [*warm_ups, (True, 1.0), (True, 2.0), (False, 10.0), (True, 2.0), (True, 2.0), (False, 12.0)]
    assert in_turns(log, 2) == ([10.0, 12.0], [1.5, 2.0])
