"""What a training of the reference teacher is told, and what it tells while it runs. Knows no tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from nas.training.plan import Progress, TrainingPlan

CONDITIONS = ("null", "photograph", "dead-leaves")
"""Names of the stored condition embeddings; the position is the label used in training."""


class Phase(Enum):
    """The four trainings, in their order."""

    AUTOENCODER = "autoencoder"
    DENOISER = "denoiser"
    DENOISER_LARGE = "denoiser-large"
    DENOISER_BALANCED = "denoiser-balanced"


@dataclass(frozen=True, kw_only=True)
class PhasePlan(TrainingPlan):
    """One training of the teacher.

    Attributes:
        batch: Crops per step.
        crop: Edge of a crop in pixels.
    """

    batch: int
    crop: int


@dataclass(frozen=True)
class TeacherShape:
    """Widths of the two networks; the stage layout is that of Stable Diffusion 1.5.

    Attributes:
        autoencoder_channels: One per resolution; the spatial factor is `2 ** (len - 1)`.
        autoencoder_layers: Residual blocks per resolution of the encoder; the decoder has one more.
        unet_channels: One per resolution, four of them.
        unet_layers: Residual blocks per resolution of the encoder half.
        heads: Attention heads.
        groups: Group-normalisation groups in both networks.
        latent_channels: Channels of the latent.
        tokens: Tokens of a condition embedding.
        token_width: Channels of a condition embedding.
    """

    autoencoder_channels: tuple[int, ...] = (16, 32, 64)
    autoencoder_layers: int = 1
    unet_channels: tuple[int, ...] = (32, 64, 128, 128)
    unet_layers: int = 2
    heads: int = 2
    groups: int = 8
    latent_channels: int = 16
    tokens: int = 8
    token_width: int = 64

    @property
    def spatial_factor(self) -> int:
        """Edge in pixels of the square that one latent pixel stands for."""
        return int(2 ** (len(self.autoencoder_channels) - 1))


def default_plans() -> dict[Phase, PhasePlan]:
    """Return the plans that made the shipped weights."""
    return {
        Phase.AUTOENCODER: PhasePlan(1600, 1.5e-3, 1e-6, batch=10, crop=64),
        Phase.DENOISER: PhasePlan(1750, 1e-3, 5e-5, decay_share=0.3, batch=16, crop=64),
        Phase.DENOISER_LARGE: PhasePlan(450, 4e-4, 1e-6, warmup=30, batch=4, crop=128),
        Phase.DENOISER_BALANCED: PhasePlan(400, 4e-4, 1e-6, warmup=30, batch=16, crop=64),
    }


@dataclass(frozen=True)
class TeacherTraining:
    """A whole training.

    Attributes:
        output: Folder of the finished teacher; checkpoints lie in its `.training` folder.
        images: Folder of pictures to train on, or None for the bundled photographs.
        plans: Steps, batches and rates.
        minutes: Scale the steps of all phases so that the training takes about this long on this machine.
        shape: Widths of the networks.
        seed: Decides data order, noise and initial weights.
        dead_leaves: Number of painted pictures, 256 x 256 each.
        dead_leaves_share: Share of the crops that come from painted pictures.
        pool: Latents kept in memory while the denoiser trains.
        pool_steps: Steps after which all of them are drawn anew.
        checkpoint_s: Seconds between checkpoints.
        resume: Go on from the checkpoints in `output`, where there are any.
    """

    output: Path
    images: Path | None = None
    plans: dict[Phase, PhasePlan] = field(default_factory=default_plans)
    minutes: float | None = None
    shape: TeacherShape = field(default_factory=TeacherShape)
    seed: int = 0
    dead_leaves: int = 160
    dead_leaves_share: float = 0.35
    pool: int = 2048
    pool_steps: int = 400
    checkpoint_s: float = 60.0
    resume: bool = False


@dataclass(frozen=True, kw_only=True)
class TrainingProgress(Progress):
    """News of one phase.

    Attributes:
        phase: What is being trained.
    """

    phase: Phase
