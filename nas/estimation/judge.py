"""A network beside its teacher on the hold-out latents: predictions, features, metrics."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nas.domain.job import EvaluateArchitecture, Evaluation
from nas.domain.stopping import is_stopped_by
from nas.domain.value import FrozenDict
from nas.estimation.features import Features
from nas.estimation.holdout_run import HoldoutRun, batches, predict, stretches
from nas.estimation.layout import device_of
from nas.estimation.metrics.base import Comparison
from nas.estimation.metrics.catalogue import FIDELITY
from nas.estimation.metrics.statistics import band_means
from nas.estimation.supplies import on_features, warm_teacher
from nas.estimation.warm import Warm
from nas.ports import Workspace
from nas.space.teachers.base import StagedDenoiser
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
    return on_features(teacher, payload, workspace, lambda features: judge(teacher, network, features, payload))


def judge(
    teacher: LoadedTeacher, network: StagedDenoiser, features: Features, payload: EvaluateArchitecture
) -> Evaluation:
    """Fidelity metrics of a network; of a part of the hold-out samples when a limit is clearly exceeded there.

    Raises:
        UnknownName: If there is no such metric.
        EvaluationError: If the network's output is not finite.
    """
    chosen = {name: FIDELITY.get(name) for name in payload.metrics}
    needs_features = any(metric.needs_features for metric in chosen.values())
    limits = payload.stop_beyond

    def is_hopeless(seen: Comparison) -> bool:
        try:
            return is_stopped_by({name: metric.measure(seen) for name, metric in chosen.items()}, limits)
        except ValueError:  # a figure that is not finite yet: the whole evaluation will tell
            return False

    comparison = compare(teacher, network, features, payload.batch, needs_features, is_hopeless if limits else None)
    return Evaluation(
        share=len(comparison.band) / len(features.holdout),
        metrics=FrozenDict({name: metric.measure(comparison) for name, metric in chosen.items()}),
        band_noise_mse=band_means(comparison.squared_error, comparison.band),
        stage_distances=FrozenDict(
            {stage: float(distance.mean()) for stage, distance in comparison.stage_distances.items()}
        ),
    )


def compare(
    teacher: LoadedTeacher,
    network: StagedDenoiser,
    features: Features,
    batch: int,
    needs_features: bool,
    is_hopeless: Callable[[Comparison], bool] | None = None,
) -> Comparison:
    """Run a network on the hold-out latents beside its teacher.

    The teacher's predictions are made with the same batches and threads as the candidate's, once per process, so
    that a network of nothing but the teacher's blocks differs from it by exactly 0.

    Args:
        teacher: The teacher.
        network: The candidate.
        features: What was captured of the teacher.
        batch: Latents per forward pass.
        needs_features: Whether stage outputs are compared.
        is_hopeless: Asked after an eighth, a quarter and half of the samples; the comparison ends where it says so.
    """
    run = HoldoutRun(network, features, teacher_predictions(teacher, features, batch), needs_features)
    *earlier, last = stretches(features.holdout, batch, features.manifest.calibration.bands)
    for stretch in earlier:
        run.see(stretch)
        if is_hopeless is not None and is_hopeless(seen := run.comparison()):
            return seen
    run.see(last)
    return run.comparison()


def teacher_predictions(teacher: LoadedTeacher, features: Features, batch: int) -> Tensor:
    """The teacher's predictions on the hold-out latents, `N x C x H x W`, kept for the next candidate."""
    key = (features.manifest.key, batch, torch.get_num_threads(), str(device_of(teacher.denoiser)))
    return _PREDICTIONS.get(
        key,
        lambda: torch.cat(
            [predict(teacher.denoiser, features, rows, None) for rows in batches(features.holdout, batch)]
        ),
    )
