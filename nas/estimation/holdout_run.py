"""One network on the hold-out latents, batch by batch, so that it may be left before the last one."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

import torch
from torch import Tensor

from nas.domain.stopping import rungs
from nas.errors import EvaluationError
from nas.estimation.features import LATENTS, TIMESTEPS, Features
from nas.estimation.layout import device_of
from nas.estimation.metrics.base import Comparison
from nas.estimation.normalised_error import normalised_squared_error
from nas.space.stage import Stage, StageInput, StageOutput
from nas.space.teachers.base import StagedDenoiser, StageObserver

_ORDER_SEED = 0


class HoldoutRun:
    """What was seen of a network so far. The order in which batches are seen changes no number.

    Args:
        network: The candidate.
        features: What was captured of the teacher.
        reference: The teacher's predictions on all hold-out latents, `N x C x H x W`.
        needs_features: Whether stage outputs are compared.
    """

    def __init__(self, network: StagedDenoiser, features: Features, reference: Tensor, needs_features: bool) -> None:
        self._network = network
        self._features = features
        self._reference = reference
        self._needs_features = needs_features
        self._predictions: dict[int, Tensor] = {}
        self._distances: dict[str, dict[int, Tensor]] = {}
        self._rows: dict[int, range] = {}

    def see(self, stretch: Iterable[range]) -> None:
        """Run some batches.

        Raises:
            EvaluationError: If a prediction is not finite; the others need not be looked at.
        """
        for rows in stretch:
            self._see_batch(rows)

    def _see_batch(self, rows: range) -> None:
        observe = self._distance_observer(rows) if self._needs_features else None
        prediction = predict(self._network, self._features, rows, observe)
        if not bool(torch.isfinite(prediction).all()):
            raise EvaluationError("The assembled network's prediction is not finite.")
        self._predictions[rows.start] = prediction
        self._rows[rows.start] = rows

    def comparison(self) -> Comparison:
        """Everything seen so far, by row."""
        first = self._features.holdout.start
        rows = [row for start in sorted(self._rows) for row in self._rows[start]]
        reference = self._reference
        if len(rows) < len(reference):
            reference = reference[[row - first for row in rows]]
        return Comparison(
            squared_error=(_by_row(self._predictions) - reference).double().square().flatten(1).mean(dim=1),
            power=reference.double().square().flatten(1).mean(dim=1),
            band=torch.tensor([self._features.band(row) for row in rows]),
            stage_distances={stage: _by_row(parts).double() for stage, parts in self._distances.items()},
        )

    def _distance_observer(self, rows: range) -> StageObserver:
        """Collects the normalised distance of every stage's outputs for one batch."""

        def observe(stage: Stage, inputs: StageInput, output: StageOutput) -> None:
            del inputs
            targets = [target.to(output.hidden.device) for target in self._features.stage_output(stage.name, rows)]
            errors = normalised_squared_error(output.tensors(), targets, self._features.variances(stage.name))
            self._distances.setdefault(stage.name, {})[rows.start] = errors.cpu()

        return observe


def predict(network: StagedDenoiser, features: Features, rows: range, observe: StageObserver | None) -> Tensor:
    """Prediction for some rows of the calibration, on the CPU."""
    device = device_of(network)
    context = features.context(rows)
    with torch.inference_mode():
        prediction = network.observed(
            features.read(LATENTS, rows).to(device),
            features.read(TIMESTEPS, rows).to(device),
            None if context is None else context.to(device),
            observe or (lambda *_: None),
        )
    return prediction.float().cpu()


def batches(rows: range, size: int) -> list[range]:
    """Rows that pass the network together: whole batches, and what is left over."""
    return [range(start, min(start + size, rows.stop)) for start in range(rows.start, rows.stop, size)]


def stretches(rows: range, batch: int, bands: int) -> list[list[range]]:
    """All batches, cut where an evaluation may end.

    What is seen until a cut is a fair sample: as much of each timestep band, and steps drawn from everywhere,
    because the pictures of a folder lie in the order of their names.

    Args:
        rows: The hold-out rows; row `i` of them lies in band `i mod bands`.
        batch: Latents per forward pass.
        bands: Number of timestep bands.
    """
    together = math.lcm(batch, bands)
    steps = [batches(step, batch) for step in batches(rows, together)]
    whole, rest = steps[: len(rows) // together], steps[len(rows) // together :]
    random.Random(_ORDER_SEED).shuffle(whole)
    cuts = [count // together for count in rungs(len(rows), together)]
    ends = zip([0, *cuts], [*cuts, len(whole)], strict=True)
    parts = [[rows for step in whole[start:end] for rows in step] for start, end in ends]
    return [*parts[:-1], [*parts[-1], *(rows for step in rest for rows in step)]]


def _by_row(parts: dict[int, Tensor]) -> Tensor:
    return torch.cat([parts[start] for start in sorted(parts)])
