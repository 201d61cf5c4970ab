"""A teacher in memory, as loading hands it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from nas.domain.teacher import TeacherRef
from nas.space.teachers.base import StagedDenoiser
from nas.space.teachers.folder import TeacherFolder


@dataclass(frozen=True, eq=False)
class LoadedTeacher:
    """A teacher in memory.

    Attributes:
        ref: What was asked for.
        folder: Where its files lie.
        config: The denoiser's `config.json`.
        denoiser: Cut into stages.
        vae: Encodes pictures; None for a bare U-Net.
        scheduler: The teacher's own noise schedule and prediction type, as a `DDIMScheduler`: samplers
            differ in how they step back, and only this parameterisation adds noise as the network
            was trained on it, whichever sampler the pipeline ships with.
        conditioning: Stored embeddings by name, each `L x D` (`null`, ...); may be empty.
    """

    ref: TeacherRef
    folder: TeacherFolder
    config: Mapping[str, Any]
    denoiser: StagedDenoiser
    vae: Any | None
    scheduler: Any
    conditioning: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def latent_channels(self) -> int:
        """Channels of a noisy latent."""
        return int(self.config["in_channels"])

    @property
    def sample_size(self) -> int:
        """Height and width of a latent for which the teacher was made; 64 where it does not say."""
        size = self.config.get("sample_size") or 64
        return int(size if isinstance(size, int) else size[0])

    @property
    def token_width(self) -> int:
        """Width of a conditioning token."""
        return int(self.config["cross_attention_dim"])
