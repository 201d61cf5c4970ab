"""The error by which blocks are trained and features compared: squared error over the teacher's variance."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

SMALLEST_VARIANCE = 1e-12


def normalised_squared_error(
    outputs: Sequence[Tensor], targets: Sequence[Tensor], variances: Sequence[float]
) -> Tensor:
    """Squared error over the variance of the teacher's tensor, averaged over a stage's outputs.

    1 is what predicting the tensor's mean would cost, so stages and tensors of different size weigh alike (Puzzle,
    Bercovich et al. 2025, divides by the second moment; the variance also serves tensors with an offset).

    Args:
        outputs: The candidate's tensors, `B x ...` each.
        targets: The teacher's, of the same shapes.
        variances: Variance of each of the teacher's tensors over the whole calibration.

    Returns:
        `B`, one value per sample.
    """
    errors = [
        (output.float() - target).square().flatten(1).mean(dim=1) / max(variance, SMALLEST_VARIANCE)
        for output, target, variance in zip(outputs, targets, variances, strict=True)
    ]
    return torch.stack(errors).mean(dim=0)
