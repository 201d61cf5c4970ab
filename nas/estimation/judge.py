"""A network beside its teacher on the hold-out latents: predictions, features, metrics."""

from __future__ import annotations

import torch
from torch import Tensor

from nas.domain.job import EvaluateArchitecture, Evaluation
from nas.domain.value import FrozenDict
from nas.errors import EvaluationError
from nas.estimation.features import LATENTS, TIMESTEPS, Features
from nas.estimation.layout import device_of
from nas.estimation.metrics.base import Comparison
from nas.estimation.metrics.catalogue import FIDELITY
from nas.estimation.metrics.statistics import band_means
from nas.estimation.normalised_error import normalised_squared_error
from nas.estimation.supplies import on_features, warm_teacher
from nas.estimation.warm import Warm
from nas.ports import Workspace
from nas.space.stage import Stage, StageInput, StageOutput
from nas.space.teachers.base import StagedDenoiser, StageObserver
from nas.space.teachers.load import LoadedTeacher

_PREDICTIONS: Warm[tuple[str, int, int, str], Tensor] = Warm(2)


def judge_network(network: StagedDenoiser, payload: EvaluateArchitecture, workspace: Workspace) -> Evaluation:
    """Fidelity of a network that was made elsewhere, under a payload's teacher, calibration and metrics.

    The payload's architecture and weights are not looked at. Captures the features if the workspace lacks them.

    Raises:
        UnknownName: If there is no such metric.
        EvaluationError: If the network's output is not finite.
    """
    teacher = warm_teacher(payload.teacher, device_of(network))
    return on_features(
        teacher,
        payload,
        workspace,
        lambda features: judge(teacher, network, features, payload.metrics, payload.batch),
    )


def judge(
    teacher: LoadedTeacher, network: StagedDenoiser, features: Features, metrics: tuple[str, ...], batch: int
) -> Evaluation:
    """Fidelity metrics of a network.

    Raises:
        UnknownName: If there is no such metric.
        EvaluationError: If the network's output is not finite.
    """
    chosen = {name: FIDELITY.get(name) for name in metrics}
    needs_features = any(metric.needs_features for metric in chosen.values())
    comparison = compare(teacher, network, features, batch, needs_features)
    return Evaluation(
        metrics=FrozenDict({name: metric.measure(comparison) for name, metric in chosen.items()}),
        band_noise_mse=band_means(comparison.squared_error, comparison.band),
        stage_distances=FrozenDict(
            {stage: float(distance.mean()) for stage, distance in comparison.stage_distances.items()}
        ),
    )


def compare(
    teacher: LoadedTeacher, network: StagedDenoiser, features: Features, batch: int, needs_features: bool
) -> Comparison:
    """Run a network on the hold-out latents beside its teacher.

    The teacher's predictions are made with the same batches and threads as the candidate's, once per process, so
    that a network of nothing but the teacher's blocks differs from it by exactly 0.
    """
    reference = teacher_predictions(teacher, features, batch)
    distances: dict[str, list[Tensor]] = {}
    prediction = torch.cat(
        [
            predict(
                network, features, rows, _distance_observer(features, rows, distances) if needs_features else None
            )
            for rows in _batches(features.holdout, batch)
        ]
    )
    if not bool(torch.isfinite(prediction).all()):
        raise EvaluationError("The assembled network's prediction is not finite.")
    return Comparison(
        squared_error=(prediction - reference).double().square().flatten(1).mean(dim=1),
        power=reference.double().square().flatten(1).mean(dim=1),
        band=torch.tensor([features.band(row) for row in features.holdout]),
        stage_distances={stage: torch.cat(parts).double() for stage, parts in distances.items()},
    )


def teacher_predictions(teacher: LoadedTeacher, features: Features, batch: int) -> Tensor:
    """The teacher's predictions on the hold-out latents, `N x C x H x W`, kept for the next candidate."""
    key = (features.manifest.key, batch, torch.get_num_threads(), str(device_of(teacher.denoiser)))
    return _PREDICTIONS.get(
        key,
        lambda: torch.cat(
            [predict(teacher.denoiser, features, rows, None) for rows in _batches(features.holdout, batch)]
        ),
    )


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


def _distance_observer(features: Features, rows: range, distances: dict[str, list[Tensor]]) -> StageObserver:
    """Collects the normalised distance of every stage's outputs for one batch."""

    def observe(stage: Stage, inputs: StageInput, output: StageOutput) -> None:
        del inputs
        targets = [target.to(output.hidden.device) for target in features.stage_output(stage.name, rows)]
        errors = normalised_squared_error(output.tensors(), targets, features.variances(stage.name))
        distances.setdefault(stage.name, []).append(errors.cpu())

    return observe


def _batches(rows: range, size: int) -> list[range]:
    return [range(start, min(start + size, rows.stop)) for start in range(rows.start, rows.stop, size)]
