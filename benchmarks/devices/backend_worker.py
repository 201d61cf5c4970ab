"""One measurement in a process of its own, whatever a converter does to it: crash, hang, or eat the memory."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.devices.backend_jobs import FLOOR, Record
from nas.domain.architecture import TEACHER_VARIANT, Architecture
from nas.domain.device import LatencyProtocol
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.teacher import Calibration, TeacherRef
from nas.domain.value import FrozenDict, digest_of
from nas.errors import NasError
from nas.estimation.devices import DEVICES

Work = Callable[[dict[str, Any]], Record]
CALIBRATION = Calibration()
PROTOCOL = LatencyProtocol(repeats=30, seconds=1.0)
PRELOADED = ["benchmarks.devices.timing", "benchmarks.devices.clocks", "nas.estimation.space_cost"]
"""Imported once, and then there in every process: PyTorch alone takes seconds."""


def protocol_of(device: str, timeout_s: float) -> LatencyProtocol:
    """How a device measures: in the first precision that it has.

    Raises:
        UnknownName: If there is no such device.
    """
    return LatencyProtocol(
        **{**PROTOCOL.model_dump(), "precision": DEVICES.get(device).precisions[0], "timeout_s": timeout_s}
    )


def way_of(device: str) -> str:
    """Digest of how a device measures; how long it may take is no part of it."""
    protocol = protocol_of(device, PROTOCOL.timeout_s)
    return digest_of({"protocol": protocol.model_dump(mode="json"), "calibration": CALIBRATION.model_dump()})[:12]


def alone(work: Work, request: dict[str, Any], timeout_s: float) -> Record:
    """What some work returns that a fresh process does; `error` in words if it does not.

    Args:
        work: Importable by name.
        request: What it is given.
        timeout_s: After that the process and all its children are killed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(work, request, sender), daemon=False)
    began = time.monotonic()
    process.start()
    sender.close()
    record: Record = {"error": f"It took longer than {timeout_s:g} s."}
    try:
        if receiver.poll(timeout_s):
            record = receiver.recv()
    except EOFError:
        process.join(10.0)
        record = {"error": _ending(process.exitcode)}
    finally:
        # Whoever answered has nothing left to do; whoever did not may have children that hang, too.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid or 0, signal.SIGKILL)
        process.kill()
        process.join()
        receiver.close()
    return {**record, "job_s": time.monotonic() - began}


def measure(request: dict[str, Any]) -> Record:
    """Measure a network or a block: a job's head, and `timeout_s`."""
    import torch

    from benchmarks.devices.clocks import by_both_clocks, in_short
    from nas.domain.job import MeasureBlock
    from nas.estimation.latency import architecture_subject, block_subject
    from nas.space.teachers.load import load

    torch.set_num_threads(1)
    device, what = request["device"], request["what"]
    teacher = load(TeacherRef())
    protocol = protocol_of(device, request["timeout_s"])
    if request["kind"] == "network":
        architecture = Architecture(choices=FrozenDict(json.loads(what)))
        subject = architecture_subject(teacher, architecture, CALIBRATION, protocol.batch)
    else:
        stage, _, variant = what.partition("/")
        payload = MeasureBlock(
            teacher=teacher.ref,
            calibration=CALIBRATION,
            protocol=protocol,
            device=device,
            stage="" if what == FLOOR else stage,
            variant=variant,
        )
        subject = block_subject(teacher, payload)
    wall, processor = by_both_clocks(device, DEVICES.get(device), subject, protocol)
    return {
        "samples": len(wall.samples_ms),
        "wall": in_short(wall).model_dump(mode="json"),
        "processor": in_short(processor).model_dump(mode="json") if processor else None,
    }


def draw(request: dict[str, Any]) -> Record:
    """The networks, what they cost, and the stages.

    Args:
        request: `networks` and `seed` of the random ones, and the `winner`'s choices.
    """
    from benchmarks.devices.timing import Sample
    from nas.estimation.latency import network_inputs
    from nas.estimation.space_cost import price_space

    winner = Architecture(choices=FrozenDict(request["winner"]))
    named = {"teacher": Architecture(choices=FrozenDict()), "winner": winner}
    known = {one.digest for one in named.values()}
    sample = Sample(request["networks"] + len(named), request["seed"])
    others = [one for one in sample.architectures if one.digest not in known][: request["networks"]]
    named |= {f"random {number}": one for number, one in enumerate(others, 1)}
    space = SearchSpace(
        stages=tuple(
            StageChoices(
                stage=choices.stage,
                variants=tuple(dict.fromkeys((*choices.variants, winner.variant(choices.stage)))),
            )
            for choices in sample.space.stages
        )
    )
    inputs = network_inputs(sample.teacher, CALIBRATION, 1)
    tokens = inputs["context"].shape[1] if "context" in inputs else 1
    costs = price_space(TeacherRef(), space, inputs["sample"].shape[-1], tokens)
    networks = []
    for name, one in named.items():
        figures = {metric: told.mean for metric, told in costs.of(one).items()}
        choices = {stage: variant for stage, variant in one.choices.items() if variant != TEACHER_VARIANT}
        networks.append({"name": name, "choices": choices, **figures})
    return {"stages": list(costs.stages), "networks": networks}


def _answer(work: Work, request: dict[str, Any], sender: Connection) -> None:
    os.setsid()  # so that what it starts can be killed with it
    try:
        sender.send(work(request))
    except NasError as error:
        sender.send({"error": str(error)})
    except Exception as error:  # a record, and not the end
        said = (str(error).strip().splitlines() or [""])[0]
        sender.send({"error": f"{type(error).__name__}: {said}"})
    sender.close()


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"Its process was ended by {signal.Signals(-code).name}."
    return f"Its process ended with {code} and without an answer."
