"""Builds the untrained networks, the noise schedule and the stored conditions of the reference teacher."""

from __future__ import annotations

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor

from nas.reference.autoencoder import PatchAutoencoderKL
from nas.reference.settings import CONDITIONS, TeacherShape

SAMPLE_SIZE = 32


def build_autoencoder(shape: TeacherShape, scaling_factor: float = 1.0) -> PatchAutoencoderKL:
    """Return an autoencoder with random weights."""
    levels = len(shape.autoencoder_channels)
    network: PatchAutoencoderKL = PatchAutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=shape.autoencoder_channels,
        layers_per_block=shape.autoencoder_layers,
        latent_channels=shape.latent_channels,
        norm_num_groups=shape.groups,
        sample_size=SAMPLE_SIZE * shape.spatial_factor,
        scaling_factor=scaling_factor,
    )
    return network


def build_unet(shape: TeacherShape) -> UNet2DConditionModel:
    """Return a U-Net with random weights and the stage layout of Stable Diffusion 1.5 (Rombach et al., CVPR 2022)."""
    return UNet2DConditionModel(
        sample_size=SAMPLE_SIZE,
        in_channels=shape.latent_channels,
        out_channels=shape.latent_channels,
        block_out_channels=shape.unet_channels,
        layers_per_block=shape.unet_layers,
        attention_head_dim=shape.heads,  # diffusers reads this as the number of heads, as in SD 1.5
        cross_attention_dim=shape.token_width,
        norm_num_groups=shape.groups,
    )


def build_scheduler() -> DDIMScheduler:
    """Return the noise schedule of Stable Diffusion 1.5: 1000 steps, scaled-linear, noise prediction."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="epsilon",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def build_conditions(shape: TeacherShape, seed: int) -> dict[str, Tensor]:
    """Return one fixed random embedding per condition, `tokens x token_width`, as good as orthogonal."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape.tokens, shape.token_width, generator=generator) for name in CONDITIONS}
