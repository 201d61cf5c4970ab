"""What becomes of a network after the search: the steps as jobs, each saying everything it needs."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from nas.domain.architecture import Architecture
from nas.domain.payload import Payload
from nas.domain.value import FrozenDict, Value

Weight = Annotated[float, Field(ge=0, le=1e6)]
FolderPath = Annotated[str, Field(max_length=4096)]


class Training(Value):
    """How long, on what and how fast to train a whole network.

    Attributes:
        steps: Optimiser steps.
        batch: Crops per step.
        crop: Edge of a crop in pixels.
        pictures: Folder of pictures to learn from; empty for those that come with the packages, and dead leaves.
        learning_rate: After the warm-up; a cosine leads to the final one.
        final_learning_rate: At the end.
        warmup: Steps of linear warm-up.
        seed: Of crops, noises and timesteps.
    """

    steps: Annotated[int, Field(ge=1, le=10_000_000)]
    batch: Annotated[int, Field(ge=1, le=4096)] = 16
    crop: Annotated[int, Field(ge=16, le=4096)] = 96
    pictures: FolderPath = ""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    final_learning_rate: Annotated[float, Field(ge=0, le=1)] = 1e-6
    warmup: Annotated[int, Field(ge=0, le=1_000_000)] = 20
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0


class FineTuningTerms(Value):
    """The three terms of BK-SDM (Kim et al., ECCV 2024), the teacher's two annealed (DiffNAS, Huang et al., 2023).

    Attributes:
        noise: Squared error of the predicted noise itself: TOC-SR's only term.
        output: Squared distance to the teacher's prediction.
        features: Squared distance to what leaves the teacher's stages, each relative to its own size.
        annealed: Share of the training over which the teacher's two terms fade to nothing along a cosine;
            0 keeps them to the end.
        substitution: Probability with which a stage is filled by the teacher's block for one step (SnapFusion,
            Li et al., NeurIPS 2023, drops them likewise), so that no block relies on its neighbours' errors.
    """

    noise: Weight = 1.0
    output: Weight = 1.0
    features: Weight = 1.0
    annealed: Annotated[float, Field(ge=0, le=1)] = 0.8
    substitution: Annotated[float, Field(ge=0, le=1)] = 0.0

    def fade(self, step: int, steps: int) -> float:
        """What is left of the teacher's terms at a step."""
        if not self.annealed:
            return 1.0
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / (self.annealed * steps))))


class RestorationTask(Value):
    """What is to be undone.

    Attributes:
        scale: How many times smaller a poor picture is.
        degradation: Name of what makes it poor.
    """

    scale: Annotated[int, Field(ge=1, le=8)] = 4
    degradation: Annotated[str, Field(max_length=64)] = "bicubic"


class OneStepPath(Value):
    """Where restoration begins.

    Attributes:
        start: Timestep of the one step.
        noise: Strength of the noise it begins with: 1 is the schedule's own, the paper's; 0 none, so that the
            network predicts a correction of the guide. At 150 steps on the reference teacher, beginning at
            timestep 100 without noise gave 29.2 dB on Set5 x4, at 400 28.9 dB, with noise at 999 14.8 dB; bicubic
            has 28.4 dB (`python -m benchmarks.one_step`).
        run_start: Timestep at which the teacher's full run begins; the run's noise is always the schedule's own.
        run_steps: Calls of the teacher in a full run.
    """

    start: Annotated[int, Field(ge=0, le=100_000)] = 100
    noise: Annotated[float, Field(ge=0, le=10)] = 0.0
    run_start: Annotated[int, Field(ge=0, le=100_000)] = 999
    run_steps: Annotated[int, Field(ge=1, le=1000)] = 20


class OneStepTerms(Value):
    """Weights of what one step is compared with; the first alone is the paper's.

    Attributes:
        run: Squared distance to the latent of the teacher's full run.
        truth: Squared distance to the good picture's latent.
        pixels: Mean absolute distance of the decoded pixels to the good picture's.
        by_visibility: Whether a latent channel counts as much as it changes pixels; else all alike.
    """

    run: Weight = 1.0
    truth: Weight = 0.0
    pixels: Weight = 0.0
    by_visibility: bool = False

    @model_validator(mode="after")
    def _something_is_learned(self) -> OneStepTerms:
        if not (self.run or self.truth or self.pixels):
            raise ValueError("at least one of run, truth and pixels has to count")
        return self


class Origin(Value):
    """Where a network's weights come from: an earlier step, else distilled blocks, else a seed.

    Attributes:
        network: Artifact of an earlier training of this architecture.
        blocks: Artifact per stage whose variant has weights; the other stages are the teacher's.
        from_scratch: Draw all weights from the training's seed: a baseline.
        widths: Narrow every level of the teacher to these widths, from scratch: another baseline.
    """

    network: str = ""
    blocks: FrozenDict[str, str] = FrozenDict()
    from_scratch: bool = False
    widths: tuple[Annotated[int, Field(ge=1, le=65536)], ...] = ()

    @model_validator(mode="after")
    def _there_is_one(self) -> Origin:
        if self.network and self.blocks:
            raise ValueError("weights come from an earlier training or from blocks, not from both")
        if self.widths and not (self.from_scratch or self.network):
            raise ValueError("a narrowed teacher has no weights: it begins from scratch")
        return self


class WholeNetwork(Payload):
    """Base of payloads about a whole network and its weights."""

    architecture: Architecture
    origin: Origin


class TrainNetwork(WholeNetwork):
    """Base of trainings of a whole network."""

    training: Training


class FineTune(TrainNetwork):
    """Train the assembled network end to end on its teacher's task."""

    kind: Literal["fine_tune"] = "fine_tune"
    terms: FineTuningTerms = FineTuningTerms()


class AdaptToRestoration(TrainNetwork):
    """Give the network a guide, and train it to denoise good latents beside poor ones."""

    kind: Literal["adapt"] = "adapt"
    task: RestorationTask = RestorationTask()


class DistillOneStep(TrainNetwork):
    """Teach a guided network to end in one step where its full run ends."""

    kind: Literal["one_step"] = "one_step"
    task: RestorationTask = RestorationTask()
    path: OneStepPath = OneStepPath()
    terms: OneStepTerms = OneStepTerms()


class PackRestorer(WholeNetwork):
    """Put encoder, one-step network and decoder together and pack them: a pipeline, ONNX, and a script, as a zip.

    Attributes:
        tile: Edge of a tile of the result in pixels.
        overlap: Pixels that neighbouring tiles share.
    """

    kind: Literal["pack_restorer"] = "pack_restorer"
    task: RestorationTask = RestorationTask()
    path: OneStepPath = OneStepPath()
    tile: Annotated[int, Field(ge=16, le=4096)] = 256
    overlap: Annotated[int, Field(ge=0, le=1024)] = 32


class TrainedNetwork(Value):
    """A whole network after a training.

    Attributes:
        artifact: Digest of its weights: safetensors of the averaged network.
        params: How many there are.
        steps: Steps taken.
        seconds: Spent, interruptions left out.
        curve: `(step, mean loss since the point before)`.
    """

    kind: Literal["trained_network"] = "trained_network"
    artifact: str
    params: Annotated[int, Field(ge=0)]
    steps: Annotated[int, Field(ge=1)]
    seconds: Annotated[float, Field(ge=0)]
    curve: tuple[tuple[int, float], ...]
