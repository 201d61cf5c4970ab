"""Where should one step begin, and what should it be compared with? Short trainings on Set5 x4, nothing distilled.

    python -m benchmarks.one_step --pictures ../shared/data/set5 --steps 150 --seeds 1

Every row trains the same small network, straight at the truth, and judges it on whole pictures beside bicubic
enlargement. A prototype had shown before that a step which begins in pure noise, as in TOC-SR, learns slowest: all
that the guide knows has to pass through 32 channels, and the last timestep enlarges every error fifteen times.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.report import write_results
from nas.adaptation.compressed_unet import CompressedUNet2DConditionModel
from nas.adaptation.crops import CropSource
from nas.adaptation.noise_schedule import NoiseSchedule
from nas.adaptation.restoration.evaluation import Protocol, bicubic, evaluate, mean_quality
from nas.adaptation.restoration.guided import guided
from nas.adaptation.restoration.pairs import PairSource
from nas.adaptation.restoration.restorer import EmptyCondition, OneStepRestorer
from nas.adaptation.restoration.tasks import GuidedDenoiser, OneStepTask
from nas.domain.adaptation import OneStepPath, OneStepTerms
from nas.domain.teacher import TeacherRef
from nas.estimation.assemble import stage_named, untrained_block
from nas.reference.pictures import Picture, folder_pictures
from nas.space.teachers.codec import LatentCodec
from nas.space.teachers.load import LoadedTeacher, load
from nas.training.loop import train
from nas.training.plan import TrainingPlan

SMALL = {**dict.fromkeys(("E4", "Mid", "D4"), "removed"), **dict.fromkeys(("E2", "E3", "D3"), "R"), "D2": "RA"}
SCALE, CROP, BATCH = 4, 96, 16
TRUTH = OneStepTerms(run=0.0, truth=1.0)
VISIBLE = OneStepTerms(run=0.0, truth=1.0, by_visibility=True)
PIXELS = OneStepTerms(run=0.0, pixels=1.0)
ARMS: dict[str, tuple[int, float, OneStepTerms]] = {
    "999, noise 1": (999, 1.0, TRUTH),
    "200, noise 1": (200, 1.0, TRUTH),
    "400": (400, 0.0, TRUTH),
    "400, by visibility": (400, 0.0, VISIBLE),
    "100": (100, 0.0, TRUTH),
    "100, by visibility": (100, 0.0, VISIBLE),
    "100, pixels": (100, 0.0, PIXELS),
    "30, by visibility": (30, 0.0, VISIBLE),
}
"""By name: the timestep at which the step begins, the strength of its noise, what it is compared with."""


def main() -> None:
    """Train and judge every arm, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of test pictures")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    teacher, pictures = load(TeacherRef()), folder_pictures(options.pictures)
    base = asdict(mean_quality(evaluate(bicubic(SCALE), pictures, Protocol(SCALE))))
    rows: list[dict[str, Any]] = [{"arm": "bicubic", **base, "seconds": 0.0}]
    for name, arm in ARMS.items():
        found = [trained(teacher, pictures, *arm, options.steps, seed) for seed in range(options.seeds)]
        rows.append({"arm": name, **{key: float(np.mean([one[key] for one in found])) for key in found[0]}})
        print(rows[-1], flush=True)
    write_results("one-step", {"steps": options.steps, "seeds": options.seeds, "rows": rows}, {"one step": rows})


def trained(
    teacher: LoadedTeacher,
    pictures: list[Picture],
    start: int,
    noise: float,
    terms: OneStepTerms,
    steps: int,
    seed: int,
) -> dict[str, float]:
    """Quality of one arm, and the processor seconds of its training."""
    codec, schedule, tokens = LatentCodec(teacher.vae), NoiseSchedule(teacher.scheduler), teacher.conditioning["null"]
    denoiser = GuidedDenoiser(guided(_small(teacher)), schedule, tokens)
    pairs = PairSource(CropSource(CROP, seed=seed), codec, SCALE, "bicubic")
    path = OneStepPath(start=start, noise=noise)
    task = OneStepTask(denoiser, denoiser, pairs, BATCH, path, terms)
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        network: Any = train(task, TrainingPlan(steps, 1e-3, 1e-6, warmup=20), Path(folder) / "checkpoint").network
    spent = time.process_time() - started
    restorer = OneStepRestorer(
        network, teacher.vae, teacher.scheduler, EmptyCondition.of(tokens), SCALE, start, noise, tile=256, overlap=32
    )
    scores = evaluate(lambda poor: np.asarray(restorer(Image.fromarray(poor)).images[0]), pictures, Protocol(SCALE))
    return {**asdict(mean_quality(scores)), "seconds": spent}


def _small(teacher: LoadedTeacher) -> CompressedUNet2DConditionModel:
    blocks = {
        name: untrained_block(teacher.denoiser, stage_named(teacher.denoiser, name), variant)
        for name, variant in SMALL.items()
    }
    made: CompressedUNet2DConditionModel = CompressedUNet2DConditionModel.of(
        teacher.denoiser.with_blocks(blocks), teacher.config, SMALL
    )
    return made


if __name__ == "__main__":
    main()
