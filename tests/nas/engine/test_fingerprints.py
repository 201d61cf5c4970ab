"""A latency table speaks of one device, whatever its name stood for in the meantime."""

from __future__ import annotations

from nas.domain.device import Device, LatencyMeasurement
from nas.domain.job import MeasureBlock, Result
from nas.domain.search import LatencySpec
from nas.engine.fingerprints import MOST_CHANGES
from nas.engine.prepare import Preparation, keep_result
from tests.fakes.executor import HOST, landscape
from tests.fakes.workspace import MemoryWorkspace
from tests.nas.engine.scene import STAGES, Scene, a_spec

UPDATED = HOST.evolve(runtime="onnxruntime 2.0")


def a_scene() -> Scene:
    return Scene(spec=a_spec(latency=LatencySpec()))


def step(preparation: Preparation, device: Device) -> list[str]:
    """Do what is missing next, on a device; returns the keys of what was measured."""
    measured = []
    for key, job in preparation.missing().items():
        result: Result = landscape(job, MemoryWorkspace())
        if isinstance(job.payload, MeasureBlock):
            result = result.evolve(device=device)
            measured.append(key)
        preparation.accept(key, result)
    return measured


def finish(preparation: Preparation, device: Device) -> list[str]:
    measured: list[str] = []
    while preparation.missing():
        measured += step(preparation, device)
    return measured


def test_what_was_measured_before_an_update_is_measured_anew() -> None:
    preparation = Preparation(a_scene().search, STAGES)
    before: list[str] = []
    while len(before) < 3:
        before += step(preparation, HOST)
    after = finish(preparation, UPDATED)
    assert set(before) <= set(after)
    assert len(after) == len(set(after))
    assert preparation.quarrel == ""
    assert preparation.costs() is not None


def test_rows_of_two_devices_are_never_mixed() -> None:
    scene = a_scene()
    first = Preparation(scene.search, STAGES)
    keys = finish(first, HOST)
    with scene.database.unit_of_work() as uow:
        for key, result in first._results.items():
            is_odd = key in keys[:2]
            keep_result(uow, key, result.evolve(device=UPDATED) if is_odd else result)
        uow.commit()
    second = Preparation(scene.search, STAGES)
    with scene.database.reader() as uow:
        second.recall(uow)
        assert second.costs() is None
        again = finish(second, HOST)
        second.recall(uow)
    assert set(again) == set(keys[:2])
    assert second.costs() == first.costs()


def test_a_measurement_of_another_device_takes_the_row_of_the_old_one() -> None:
    scene = a_scene()
    preparation = Preparation(scene.search, STAGES)
    (key, *_), result = finish(preparation, HOST), preparation._results
    kept = result[key]
    assert isinstance(kept, LatencyMeasurement)
    with scene.database.unit_of_work() as uow:
        for one in (kept, kept.evolve(median_ms=9.0), kept.evolve(device=UPDATED)):
            keep_result(uow, key, one)
        assert uow.library.latency(key) == kept.evolve(device=UPDATED)


def test_two_devices_that_answer_in_turn_end_the_search_with_the_reason() -> None:
    preparation = Preparation(a_scene().search, STAGES)
    for turn in range(60):
        step(preparation, (HOST, UPDATED)[turn % 2])
        if preparation.quarrel:
            break
    assert "'host'" in preparation.quarrel
    assert preparation._fingerprints._changes["table_latency_ms"] == MOST_CHANGES + 1
