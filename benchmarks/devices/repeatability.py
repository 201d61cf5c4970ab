"""Does a network measure the same again, and is one that is a tenth faster told from it, where it is not quiet?

    python -m benchmarks.devices.repeatability --device host --times 10 --minutes 30

Measures two networks in random order, again and again over half an hour: the reference teacher, and the one of its
space nearest to a tenth fewer multiplications by one replaced block. Raw medians stand beside those steadied by the
canary, and beside both in processor time where the device computes on this one. With `--disturb` another process
loads a core in random bursts: a quiet machine proves nothing. The report is written anew after every turn.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.devices.clocks import by_both_clocks
from benchmarks.devices.spreads import report
from benchmarks.devices.timing import Sample
from benchmarks.report import RESULTS, markdown_table, write_results
from nas.domain.architecture import TEACHER_VARIANT, Architecture
from nas.domain.device import LatencyMeasurement, LatencyProtocol
from nas.domain.teacher import Calibration
from nas.domain.value import FrozenDict
from nas.estimation.cost_report import network_cost
from nas.estimation.devices import DEVICES
from nas.estimation.latency import architecture_subject

TEACHER = Architecture(choices=FrozenDict())
TENTH = 0.1
LATENT = 16


def main() -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="host")
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--disturb", action="store_true", help="load a core in random bursts meanwhile")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    networks = {"teacher": TEACHER, "a tenth less": a_tenth_less()}
    with disturbance(options.seed) if options.disturb else contextlib.nullcontext():
        for rows in measured(networks, options.device, options.times, options.minutes * 60.0, options.seed):
            document, tables = report(rows, slower="teacher")
            document |= {"device": options.device, "disturbed": options.disturb, "minutes": options.minutes}
            document["networks"] = {name: dict(one.choices) for name, one in networks.items()}
            write_results(f"repeatability-{options.device}", document, tables, options.results)
    for title, table in tables.items():
        print(f"\n{title}\n", *markdown_table(table), sep="\n")


def a_tenth_less() -> Architecture:
    """The architecture with one replaced block whose multiplications are nearest to a tenth fewer."""
    sample = Sample(1, 0)
    found = [
        Architecture(choices=FrozenDict({choices.stage: variant}))
        for choices in sample.space.stages
        for variant in choices.variants
        if variant != TEACHER_VARIANT
    ]
    ref = sample.teacher.ref
    whole = network_cost(ref, LATENT)["gmacs"]
    saved = {one: 1 - network_cost(ref, LATENT, architecture=one)["gmacs"] / whole for one in found}
    return min(found, key=lambda one: abs(saved[one] - TENTH))


def measured(
    networks: dict[str, Architecture], device: str, times: int, seconds: float, seed: int
) -> Iterator[list[dict[str, Any]]]:
    """Every network, `times` times, spread evenly over the time; yields all there is after each."""
    backend, draw, teacher = DEVICES.get(device), random.Random(seed), Sample(1, 0).teacher
    protocol = LatencyProtocol(repeats=30, seconds=1.0, precision=backend.precisions[0])
    rows: list[dict[str, Any]] = []
    began = time.monotonic()
    for turn in range(times):
        time.sleep(max(0.0, began + turn * seconds / max(1, times - 1) - time.monotonic()))
        for name in draw.sample(sorted(networks), len(networks)):
            subject = architecture_subject(teacher, networks[name], Calibration(latent_size=LATENT), batch=1)
            wall, processor = by_both_clocks(device, backend, subject, protocol)
            clocks = {"wall": in_short(wall), "processor": in_short(processor) if processor else None}
            rows.append({"turn": turn, "network": name, "at_s": time.monotonic() - began, **clocks})
            told = ", ".join(f"{clock} {one['median_ms']:.2f} ms" for clock, one in clocks.items() if one)
            print(f"{turn + 1}/{times} {name}: {told}", file=sys.stderr, flush=True)
        yield rows


def in_short(one: LatencyMeasurement) -> dict[str, Any]:
    """What the report is made of; without a canary the ratio is to one millisecond."""
    return {
        "median_ms": one.median_ms,
        "interval_ms": list(one.interval_ms),
        "ratio": one.relative[0] if one.relative else one.median_ms,
        "canary_ms": statistics.median(one.canary_ms) if one.canary_ms else 1.0,
        "samples": len(one.samples_ms),
    }


@contextlib.contextmanager
def disturbance(seed: int) -> Iterator[None]:
    """A process that works in random bursts of seconds on as many threads as there are cores."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_burst, args=(seed,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _burst(seed: int) -> None:
    draw, parent = random.Random(seed), os.getppid()
    matrix = torch.randn(512, 512)
    while os.getppid() == parent:  # whose end may leave no time to end this
        until = time.monotonic() + draw.uniform(1.0, 20.0)
        while time.monotonic() < until:
            matrix = torch.tanh(matrix @ matrix)
        time.sleep(draw.uniform(1.0, 20.0))


if __name__ == "__main__":
    main()
