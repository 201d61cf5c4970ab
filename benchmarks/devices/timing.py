"""What is timed: random networks of the reference teacher's default space, and its isolated blocks, in rounds.

Everything is exported once and then timed in several rounds, each in another order: what the rounds disagree about is
the noise that no predictor can get below.

On the host the clock is the processor's: on a machine that others share, a network is interrupted where a canary of
half a millisecond is not, and no ratio of the two tells how long it took. Other devices are timed on the wall.
"""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path
from typing import Any

from nas.domain.architecture import TEACHER_VARIANT, Architecture
from nas.domain.device import LatencyMeasurement, LatencyProtocol
from nas.domain.job import MeasureBlock, MeasureNetwork
from nas.domain.search_space import SearchSpace
from nas.domain.teacher import Calibration, TeacherRef
from nas.domain.value import FrozenDict
from nas.errors import EvaluationError
from nas.estimation.devices import DEVICES
from nas.estimation.devices.analytic.graph import Graph, read_graph
from nas.estimation.devices.base import Subject
from nas.estimation.devices.timed import TimedDevice
from nas.estimation.latency import block_subject, network_subject
from nas.space.teachers.default_space import default_space
from nas.space.teachers.load import LoadedTeacher, load

CALIBRATION = Calibration()
PROTOCOL = LatencyProtocol(seconds=0.4)
BLOCK_ROUNDS = 2
"""Isolated blocks fit into the processor's caches: their rounds hardly differ."""
CLOCKS = {"host": time.process_time}


class Sample:
    """Random networks and all isolated blocks of the reference teacher's default space.

    Args:
        networks: How many; all different, the teacher first.
        seed: Of the draw.
    """

    def __init__(self, networks: int, seed: int) -> None:
        self.teacher: LoadedTeacher = load(TeacherRef())
        denoiser = self.teacher.denoiser
        self.space = default_space(denoiser.stages, {one.name: denoiser.block(one.name) for one in denoiser.stages})
        self.architectures = drawn(self.space, networks, seed)

    def rows(self) -> list[dict[str, Any]]:
        """What is to be timed: networks by their choices, then blocks by stage and variant."""
        networks = [{"kind": "network", "choices": dict(one.choices)} for one in self.architectures]
        blocks = [
            {"kind": "block", "stage": choices.stage, "variant": variant}
            for choices in self.space.stages
            for variant in choices.variants
        ]
        return [*networks, *blocks, {"kind": "block", "stage": "", "variant": TEACHER_VARIANT}]

    def subject(self, row: dict[str, Any]) -> Subject:
        """A row as the product measures it."""
        asked: dict[str, Any] = {"teacher": self.teacher.ref, "calibration": CALIBRATION, "protocol": PROTOCOL}
        if row["kind"] == "network":
            architecture = Architecture(choices=FrozenDict(row["choices"]))
            return network_subject(self.teacher, MeasureNetwork(**asked, architecture=architecture, device="host"))
        stage, variant = row["stage"], row["variant"]
        return block_subject(self.teacher, MeasureBlock(**asked, stage=stage, variant=variant, device="host"))


def drawn(space: SearchSpace, networks: int, seed: int) -> list[Architecture]:
    """Different architectures from one end of the space to the other: the teacher first.

    Uniform draws crowd around the middle, as sums of many choices do. So networks lean: the first ones towards the
    teacher's blocks, the last ones towards the smallest, those between not at all.
    """
    generator = random.Random(seed)
    first = tuple(0 for _ in space.stages)
    found = {first: space.decode(first)}
    wanted = min(networks, space.size)
    while len(found) < wanted:
        leaning = 1 - 2 * len(found) / wanted
        extreme = 0 if leaning > 0 else -1
        chosen = tuple(
            range(count)[extreme] if generator.random() < abs(leaning) else generator.randrange(count)
            for count in space.cardinalities
        )
        if chosen in found:  # at the far end nearly everything is: one free choice more
            place = generator.randrange(len(chosen))
            other = generator.randrange(space.cardinalities[place])
            chosen = (*chosen[:place], other, *chosen[place + 1 :])
        found[chosen] = space.decode(chosen)
    return list(found.values())


def timed_rows(
    sample: Sample, device: str, rounds: int, seed: int, folder: Path
) -> tuple[list[dict[str, Any]], list[Graph]]:
    """Every row with what each round measured, and the graphs that were timed.

    Args:
        sample: What is timed.
        device: A registered device that this process can time.
        rounds: How often everything is timed.
        seed: Of the orders.
        folder: For the exported graphs; a few tens of megabytes each.
    """
    backend = DEVICES.get(device)
    if not isinstance(backend, TimedDevice):
        raise EvaluationError(f"{device} cannot be timed from here.")
    clock = CLOCKS.get(device, time.perf_counter)
    rows = sample.rows()
    subjects: list[Subject] = []
    graphs: list[Graph] = []
    for number, row in enumerate(rows):
        subject = sample.subject(row)
        (folder / str(number)).mkdir()
        path, row["subject"] = subject.onnx(folder / str(number))
        row["rounds"] = []
        graphs.append(read_graph(path))
        subjects.append(Subject(None, subject.inputs, path))
    generator = random.Random(seed)
    for turn in range(rounds):
        order = [place for place, row in enumerate(rows) if row["kind"] == "network" or turn < BLOCK_ROUNDS]
        generator.shuffle(order)
        for place in order:
            rows[place]["rounds"].append(in_short(backend.measure(subjects[place], PROTOCOL, clock)))
        print(f"round {turn + 1} of {rounds} is timed", flush=True)
    return rows, graphs


def in_short(measured: LatencyMeasurement) -> dict[str, Any]:
    """What the report needs of a measurement."""
    return {
        "median_ms": measured.median_ms,
        "fastest_ms": min(measured.samples_ms),
        "interval_ms": list(measured.interval_ms),
        "relative": None if measured.relative is None else list(measured.relative),
        "canary_ms": statistics.median(measured.canary_ms) if measured.canary_ms else None,
        "samples": len(measured.samples_ms),
    }


def steadied_ms(rows: list[dict[str, Any]]) -> list[list[float]]:
    """Milliseconds of every row in every round, on a machine on which the canary takes what it took in the median."""
    canaries = [one["canary_ms"] for row in rows for one in row["rounds"] if one["canary_ms"] is not None]
    reference = statistics.median(canaries) if canaries else 0.0
    return [
        [one["median_ms"] if one["relative"] is None else one["relative"][0] * reference for one in row["rounds"]]
        for row in rows
    ]
