"""The training loop of one surrogate block on captured features: every step a function of its number and the seed.

Nothing but weights, optimiser moments and a few numbers has to be kept to go on after a kill: batch order and
learning rate are computed from the step.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor, nn

from nas.domain.library import Distillation
from nas.domain.value import Value
from nas.estimation.features import Features, Indices
from nas.estimation.normalised_error import normalised_squared_error
from nas.space.stage import StageBlock, StageInput, StageOutput

WARM_UP_SHARE = 0.1
LARGEST_GRADIENT_NORM = 1.0
CURVE_POINTS = 25
HOLDOUT_BATCH = 32


class Diverged(Exception):
    """The loss is no longer finite. Never leaves this package: distillation tries once more, slower."""


class TrainingProgress(Value):
    """Where a training stands; with weights and moments, all of its state.

    Attributes:
        step: Steps done.
        rate: Peak learning rate.
        restarts: How often it began anew with a smaller rate.
        seconds: Time spent so far.
        curve: `(step, mean training loss since the point before)`.
        window_loss: Sum of the losses since the last point of the curve.
        window_steps: How many those are.
    """

    step: int = 0
    rate: float
    restarts: int = 0
    seconds: float = 0.0
    curve: tuple[tuple[int, float], ...] = ()
    window_loss: float = 0.0
    window_steps: int = 0


class BlockTraining:
    """Trains a block to imitate the teacher's stage on the teacher's own inputs.

    Loss: normalised squared error, averaged over hidden state and skips (`nas.estimation.normalised_error`).
    AdamW, cosine rate with a warm-up, gradients clipped. Batches are stratified over timestep bands.

    Args:
        block: Trained in place, on `device`.
        features: The teacher's features.
        stage: Name of the stage.
        distillation: Steps, batch, rate and seed.
        progress: Where to go on; None begins.
        device: Where to compute. Mixed precision (bfloat16) on a GPU, single precision on a CPU.
    """

    def __init__(
        self,
        block: StageBlock,
        features: Features,
        stage: str,
        distillation: Distillation,
        progress: TrainingProgress | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.block, self.features, self.stage, self.distillation = block, features, stage, distillation
        self.device = device or torch.device("cpu")
        self.block.to(self.device)
        self.progress = progress or TrainingProgress(rate=distillation.learning_rate)
        self.parameters = [parameter for parameter in block.parameters() if parameter.requires_grad]
        self._variances = features.variances(stage)

    @functools.cached_property
    def optimiser(self) -> torch.optim.Optimizer:
        """AdamW; not there for a block without parameters."""
        return torch.optim.AdamW(self.parameters, lr=self.progress.rate, fused=True)

    @property
    def done(self) -> bool:
        """Whether all steps are taken."""
        return self.progress.step >= self.distillation.steps

    def step(self) -> float:
        """Take one step.

        Returns:
            The training loss before the step.

        Raises:
            Diverged: If the loss is not finite.
        """
        step, steps = self.progress.step, self.distillation.steps
        for group in self.optimiser.param_groups:
            group["lr"] = self.progress.rate * rate_factor(step, steps)
        self.block.train()
        loss = self._errors(self._rows(step)).mean()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise Diverged(f"loss {value} at step {step}")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        nn.utils.clip_grad_norm_(self.parameters, LARGEST_GRADIENT_NORM)
        self.optimiser.step()
        self._record(value)
        return value

    def holdout_losses(self) -> tuple[float, tuple[float, ...]]:
        """Mean loss on held-out features, and the same per timestep band.

        Raises:
            Diverged: If a loss is not finite.
        """
        self.block.eval()
        rows = self.features.holdout
        with torch.no_grad():
            parts = [self._errors(part).cpu() for part in _parts(rows, HOLDOUT_BATCH)]
        errors = torch.cat(parts).double()
        bands = torch.tensor([self.features.band(row) for row in rows])
        means = tuple(float(errors[bands == band].mean()) for band in sorted(set(bands.tolist())))
        mean = float(errors.mean())
        if not math.isfinite(mean):
            raise Diverged(f"held-out loss {mean}")
        return mean, means

    def _errors(self, rows: Indices) -> Tensor:
        inputs = on_device(self.features.stage_input(self.stage, rows), self.device)
        targets = [target.to(self.device) for target in self.features.stage_output(self.stage, rows)]
        with self._precision():
            output: StageOutput = self.block(inputs)
        return normalised_squared_error(output.tensors(), targets, self._variances)

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda")

    def _rows(self, step: int) -> list[int]:
        samples, bands = len(self.features.samples), self.features.manifest.calibration.bands
        first = step * self.distillation.batch
        places = [divmod(place, samples) for place in range(first, first + self.distillation.batch)]
        return [stratified_order(samples, bands, self.distillation.seed, epoch)[place] for epoch, place in places]

    def _record(self, loss: float) -> None:
        step = self.progress.step + 1
        window_loss, window_steps = self.progress.window_loss + loss, self.progress.window_steps + 1
        interval = max(1, self.distillation.steps // CURVE_POINTS)
        if step % interval and step != self.distillation.steps:
            self.progress = self.progress.evolve(step=step, window_loss=window_loss, window_steps=window_steps)
        else:
            curve = (*self.progress.curve, (step, window_loss / window_steps))
            self.progress = self.progress.evolve(step=step, curve=curve, window_loss=0.0, window_steps=0)


def rate_factor(step: int, steps: int) -> float:
    """Share of the peak learning rate at a step: linear warm-up, then half a cosine to zero."""
    warm_up = max(1, round(steps * WARM_UP_SHARE))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1.0 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


@functools.lru_cache(maxsize=4)
def stratified_order(samples: int, bands: int, seed: int, epoch: int) -> tuple[int, ...]:
    """Order of all samples in one epoch: each run of `bands` samples has one of every timestep band."""
    stream = np.random.default_rng((seed, epoch))
    columns = [stream.permutation(range(band, samples, bands)).tolist() for band in range(min(bands, samples))]
    order: list[int] = []
    for turn in range(len(columns[0])):
        order += [columns[band][turn] for band in stream.permutation(len(columns)) if turn < len(columns[band])]
    return tuple(order)


def on_device(inputs: StageInput, device: torch.device) -> StageInput:
    """A stage's input moved to a device."""
    return StageInput(
        hidden=inputs.hidden.to(device),
        temb=inputs.temb.to(device),
        context=None if inputs.context is None else inputs.context.to(device),
        skips=tuple(skip.to(device) for skip in inputs.skips),
        size=inputs.size,
    )


def _parts(rows: range, size: int) -> Iterator[range]:
    for start in range(rows.start, rows.stop, size):
        yield range(start, min(start + size, rows.stop))
