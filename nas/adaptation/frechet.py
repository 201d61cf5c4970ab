"""How far a network's samples are from its teacher's, as clouds in the teacher's own feature space.

NanoSD's and TOC-SR's tables judge candidates by the Fréchet distance (Heusel et al., NeurIPS 2017) to the teacher's
pictures, in Inception's features. A teacher of other latents, and a machine without those weights, has features of
its own: what leaves the teacher's deepest encoder stage, averaged over the latent.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nas.adaptation.noise_schedule import NoiseSchedule
from nas.errors import EvaluationError
from nas.space.stage import Stage, StageInput, StageOutput
from nas.space.teachers.base import StagedDenoiser

Cloud = npt.NDArray[np.float64]

FEATURE_TIMESTEP = 50
"""Little noise: what the features see is the sample."""


@torch.no_grad()
def samples(
    denoiser: StagedDenoiser,
    schedule: NoiseSchedule,
    noise: Tensor,
    context: Tensor | None,
    steps: int,
    batch: int = 32,
) -> Tensor:
    """What a network makes of noise, `N x C x H x W`; the same noise for teacher and candidate.

    Args:
        denoiser: In evaluation mode.
        schedule: The teacher's.
        noise: `N x C x H x W`.
        context: `1 x L x D`, or None.
        steps: Calls of the network.
        batch: Latents at a time.
    """
    ends = []
    for part in torch.split(noise, batch):
        tokens = None if context is None else context.expand(len(part), -1, -1)
        run = schedule.full_run(lambda noisy, when, tokens=tokens: denoiser(noisy, when, tokens), part, steps)  # type: ignore[misc]  # default binds the loop's tokens
        ends.append(run)
    return torch.cat(ends)


@torch.no_grad()
def features(teacher: StagedDenoiser, latents: Tensor, context: Tensor | None, batch: int = 32) -> Cloud:
    """Clean latents as the teacher's deepest encoder stage sees them, averaged over the latent: `N x F`."""
    deepest = [stage.name for stage in teacher.stages if stage.role == "encoder"][-1]
    seen: list[Tensor] = []

    def keep(stage: Stage, inputs: StageInput, output: StageOutput) -> None:
        del inputs
        if stage.name == deepest:
            seen.append(output.hidden.mean(dim=(2, 3)))

    for part in torch.split(latents, batch):
        tokens = None if context is None else context.expand(len(part), -1, -1)
        teacher.observed(part, torch.full((len(part),), FEATURE_TIMESTEP), tokens, keep)
    return np.asarray(torch.cat(seen).double().cpu().numpy())


def frechet_distance(one: Cloud, other: Cloud) -> float:
    """`|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½)` of two clouds of points, `N x F`.

    The trace of the root is the sum of the singular values of `Σ₁^½ Σ₂^½`: real and stable without a matrix root.

    Raises:
        EvaluationError: If a cloud has fewer than two points or is not finite.
    """
    for cloud in (one, other):
        if len(cloud) < 2 or not np.isfinite(cloud).all():
            raise EvaluationError("A Fréchet distance takes at least two finite points on either side.")
    apart = float(np.square(one.mean(axis=0) - other.mean(axis=0)).sum())
    spreads = [(cloud - cloud.mean(axis=0)) / np.sqrt(len(cloud) - 1) for cloud in (one, other)]
    # With centred clouds X and Y, Σ = XᵀX: the singular values of X Yᵀ are those of Σ₁^½ Σ₂^½.
    shared = float(np.linalg.svd(spreads[0] @ spreads[1].T, compute_uv=False).sum())
    return apart + sum(float(np.square(spread).sum()) for spread in spreads) - 2.0 * shared
