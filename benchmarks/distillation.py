"""Feature-wise distillation: what capturing once saves, how fast each family learns, what the teacher's weights buy.

Run: `python -m benchmarks.distillation` (about five minutes on one core). Times are CPU seconds of one thread, which
other processes on the machine disturb least; the two arms take turns, a few steps each.

Written down before measuring:

1. A naive step runs the whole teacher to get one stage's input and output. A block is a ninth of the network and a
   training step costs three forward passes of it, so naive should be (9 + 3) / 3 = 4 times dearer in the steps
   alone; with the capture counted in, about 3.5 times for a library of 30 blocks of 200 steps, and *less than 1* for
   a single block of few steps, because the capture then never pays for itself.
2. Peak memory: no more than 10 % between the two. Both hold the teacher; the naive loop holds one batch of its
   activations, the other has its files mapped.
3. Every family with parameters at least halves its held-out loss in 150 steps.
4. Initialised from the teacher a block starts below 1 (better than predicting the mean) and keeps a lead to the
   end: half the loss of the same block drawn at random, or less.

What came out, on the reference teacher with batches of 16: (1) 4.8 times in the steps and 4.7 for the library, more
than predicted, because inner stages are far cheaper than a ninth of the network; a capture has paid after 27 steps.
(2) holds: 92 against 95 MiB. (3) holds. (4) holds fivefold and more where most of the units survive (cheaper
attention, depthwise, narrow), and **not** where a stage shrinks to a single unit without skips: there the teacher's
weights start above 1 and buy nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.report import write_results
from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.job import CaptureFeatures
from nas.domain.library import Distillation
from nas.domain.teacher import Calibration, TeacherRef
from nas.estimation.assemble import stage_named
from nas.estimation.block_training import BlockTraining, on_device
from nas.estimation.capture import capture
from nas.estimation.distill import fresh_block
from nas.estimation.features import LATENTS, TIMESTEPS, Features, Indices
from nas.estimation.holdout_run import predict
from nas.estimation.normalised_error import normalised_squared_error
from nas.space.blocks.base import BLOCK_FAMILIES
from nas.space.blocks.catalogue import variants
from nas.space.stage import Stage, StageInput, StageOutput
from nas.space.teachers.load import LoadedTeacher, fingerprint, load

TURN = 4
"""Steps an arm takes before the other has its turn."""
LIBRARY_BLOCKS, LIBRARY_STEPS = 30, 200
PREFERRED_STAGES = ("D2", "E2", "E3", "Mid", "E4")


class NaiveTraining(BlockTraining):
    """The loop that has no features: every step runs the whole teacher for one stage's input and output."""

    def __init__(self, teacher: LoadedTeacher, *args: Any) -> None:
        super().__init__(*args)
        self.teacher = teacher

    def _errors(self, rows: Indices) -> torch.Tensor:
        found: list[tuple[StageInput, StageOutput]] = []

        def observe(stage: Stage, inputs: StageInput, output: StageOutput) -> None:
            if stage.name == self.stage:
                found.append((inputs, output))

        with torch.no_grad():
            self.teacher.denoiser.observed(
                self.features.read(LATENTS, rows),
                self.features.read(TIMESTEPS, rows),
                self.features.context(rows),
                observe,
            )
        inputs, targets = found[0]
        output = self.block(on_device(inputs, self.device))
        return normalised_squared_error(output.tensors(), targets.tensors(), self.features.variances(self.stage))


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    if arguments.arm:
        print(json.dumps(memory_of(arguments.arm, Path(arguments.features), arguments.teacher)))
        return
    with tempfile.TemporaryDirectory() as store:
        teacher, features, capture_s = prepared(arguments.teacher, Path(store))
        speed = compare_speed(teacher, features, capture_s, arguments.turns)
        memory = {arm: _in_own_process(arm, features, arguments.teacher) for arm in ("once", "naive")}
        curves = list(learning_curves(teacher, features, arguments.steps))
    write_results(
        "distillation",
        {"teacher": arguments.teacher, "speed": speed, "memory": memory, "curves": curves},
        {
            "Capture once against the whole teacher at every step (CPU seconds)": [
                {"figure": name, "value": value} for name, value in speed.items() if not isinstance(value, list)
            ],
            "Seconds per step by stage": speed["stages"],
            "Peak memory of each arm in a process of its own (MiB)": [
                {"arm": arm, **figures} for arm, figures in memory.items()
            ],
            "Held-out block loss against steps": [_curve_row(curve) for curve in curves],
        },
    )


def prepared(source: str, store: Path) -> tuple[LoadedTeacher, Features, float]:
    """Teacher, features, and the CPU seconds that capturing them took."""
    ref = TeacherRef(source=source)
    teacher = load(ref.evolve(fingerprint=fingerprint(ref)))
    key = CaptureFeatures(teacher=teacher.ref, calibration=Calibration()).key
    started = time.process_time()
    capture(teacher, Calibration(), store, key)
    return teacher, Features(store / key), time.process_time() - started


def compare_speed(teacher: LoadedTeacher, features: Features, capture_s: float, turns: int) -> dict[str, Any]:
    """Both arms in turns, one block per stage, and what that means for a library."""
    rows: list[dict[str, Any]] = []
    for stage in teacher.denoiser.stages:
        arms = _both_arms(teacher, features, stage)
        spent = dict.fromkeys(arms, 0.0)
        for arm in arms.values():
            arm.step()  # not counted: allocations and the libraries' own warm-up
        for _ in range(turns):
            for name, arm in arms.items():
                spent[name] += _cpu_seconds(partial(_steps, arm))
        steps = turns * TURN
        rows.append(
            {
                "stage": stage.name,
                "once": spent["once"] / steps,
                "naive": spent["naive"] / steps,
                "ratio": spent["naive"] / spent["once"],
            }
        )
    once, naive = (sum(row[arm] for row in rows) / len(rows) for arm in ("once", "naive"))
    library_steps, run_steps = LIBRARY_BLOCKS * LIBRARY_STEPS, turns * TURN * len(rows)
    return {
        "capture_s": capture_s,
        "step_once_s": once,
        "step_naive_s": naive,
        "ratio_of_steps": naive / once,
        "ratio_of_this_run_with_capture": naive * run_steps / (capture_s + once * run_steps),
        f"ratio_of_{LIBRARY_BLOCKS}_blocks_of_{LIBRARY_STEPS}_steps_with_capture": (
            naive * library_steps / (capture_s + once * library_steps)
        ),
        "steps_after_which_the_capture_has_paid": capture_s / (naive - once),
        "stages": rows,
    }


def learning_curves(teacher: LoadedTeacher, features: Features, steps: int) -> Iterator[dict[str, Any]]:
    """Held-out loss at some steps, for one block of every family, from the teacher's weights and from random ones."""
    marks = sorted({0, steps // 15, steps // 6, steps // 3, 2 * steps // 3, steps})
    for family, stage, variant in one_block_per_family(teacher):
        for initialise in ("teacher", "random"):
            settings = Distillation.model_validate({"steps": steps, "initialise": initialise})
            block = fresh_block(teacher.denoiser, stage, variant, settings)
            training = BlockTraining(block, features, stage.name, settings)
            losses = {}
            for mark in marks if training.parameters else marks[:1]:
                while training.progress.step < mark:
                    training.step()
                losses[mark] = training.holdout_losses()[0]
            yield {
                "family": family,
                "block": f"{stage.name}/{variant}",
                "initialise": initialise,
                "parameters": sum(parameter.numel() for parameter in training.parameters),
                "losses": losses,
            }
            if not training.parameters:
                break


def one_block_per_family(teacher: LoadedTeacher) -> Iterator[tuple[str, Stage, str]]:
    """The cheapest variant of every family, at the first of the preferred stages that offers one."""
    for name, family in BLOCK_FAMILIES:
        for wanted in PREFERRED_STAGES:
            stage = stage_named(teacher.denoiser, wanted)
            offered = family.variants(stage, teacher.denoiser.block(wanted))
            if offered:
                yield name, stage, offered[-1]
                break


def memory_of(arm: str, folder: Path, source: str) -> dict[str, float]:
    """Resident memory in MiB before and at the peak of some steps of one arm, at the two outermost stages."""
    teacher, features = load(TeacherRef(source=source)), Features(folder)
    predict(teacher.denoiser, features, range(1), None)  # what any use of the teacher costs belongs to neither arm
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of loading, and of the parent process
    before = _status_mib("VmRSS")
    for wanted in ("E1", "D1"):
        training = _both_arms(teacher, features, stage_named(teacher.denoiser, wanted))[arm]
        for _ in range(3):
            training.step()
    peak = _status_mib("VmHWM")
    return {"before": before, "peak": peak, "added": peak - before}


def _both_arms(teacher: LoadedTeacher, features: Features, stage: Stage) -> dict[str, BlockTraining]:
    offered = [variant for variant in variants(stage, teacher.denoiser.block(stage.name)) if _is_plain(variant)]
    settings = Distillation()
    blocks = [fresh_block(teacher.denoiser, stage, offered[0], settings) for _ in range(2)]
    return {
        "once": BlockTraining(blocks[0], features, stage.name, settings),
        "naive": NaiveTraining(teacher, blocks[1], features, stage.name, settings),
    }


def _is_plain(variant: str) -> bool:
    """Whether it is a shortened chain of the teacher's own units: every stage has some."""
    return variant != TEACHER_VARIANT and set(variant) <= {"R", "A"}


def _in_own_process(arm: str, features: Features, teacher: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.distillation", "--arm", arm]
    command += ["--features", str(features.folder), "--teacher", teacher]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(told.stdout.splitlines()[-1])
    return figures


def _curve_row(curve: dict[str, Any]) -> dict[str, Any]:
    losses = {f"{step} steps": loss for step, loss in curve["losses"].items()}
    return {name: curve[name] for name in ("family", "block", "initialise", "parameters")} | losses


def _steps(arm: BlockTraining) -> None:
    for _ in range(TURN):
        arm.step()


def _cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _status_mib(field: str) -> float:
    """A figure of `/proc/self/status`. Not `ru_maxrss`, which a process inherits from the one that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure feature-wise distillation.")
    parser.add_argument("--teacher", default="reference", help="`reference`, a folder or a hub name")
    parser.add_argument("--steps", type=int, default=150, help="steps of the learning curves")
    parser.add_argument("--turns", type=int, default=3, help=f"turns of {TURN} steps that each arm gets per stage")
    parser.add_argument("--arm", choices=("once", "naive"), help=argparse.SUPPRESS)
    parser.add_argument("--features", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
