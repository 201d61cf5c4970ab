"""Configurations and small networks that several tests of this folder share."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor

from nas.space.stage import Stage, StageInput, StageOutput
from nas.space.teachers.load import denoiser_from_config
from nas.space.teachers.staged_unet import StagedUNet
from nas.space.teachers.unet2d_condition import UNet2DConditionFamily

SD15: dict[str, Any] = {
    "_class_name": "UNet2DConditionModel",
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False,
    "cross_attention_dim": 768,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
}
SD15_16 = {**SD15, "in_channels": 16, "out_channels": 16}
BK_BASE = {**SD15, "layers_per_block": 1}
BK_SMALL = {**BK_BASE, "mid_block_type": None}
BK_TINY = {
    **BK_SMALL,
    "block_out_channels": [320, 640, 1280],
    "down_block_types": ["CrossAttnDownBlock2D"] * 3,
    "up_block_types": ["CrossAttnUpBlock2D"] * 3,
}
SD_VAE: dict[str, Any] = {
    "_class_name": "AutoencoderKL",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "out_channels": 3,
    "sample_size": 512,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}


def narrow(config: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A configuration with its layout kept and its widths made small."""
    widths = [16, 24, 32, 32][: len(config["block_out_channels"])]
    small = {"block_out_channels": widths, "norm_num_groups": 4, "cross_attention_dim": 12, "attention_head_dim": 2}
    return {**config, **small, "sample_size": 16, **changes}


def network(config: dict[str, Any]) -> UNet2DConditionModel:
    """A U-Net with random weights, the same for the same configuration."""
    torch.manual_seed(0)
    return UNet2DConditionModel.from_config(config).eval().requires_grad_(False)


def staged(config: dict[str, Any]) -> StagedUNet:
    """A U-Net with random weights, cut into stages."""
    return UNet2DConditionFamily().stage(network(config))


@cache
def on_meta(config_json: str) -> StagedUNet:
    """A staged U-Net without weights."""
    denoiser = denoiser_from_config(json.loads(config_json))
    assert isinstance(denoiser, StagedUNet)
    return denoiser


def noisy(config: dict[str, Any], height: int = 16, width: int = 16, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Latents, timesteps and tokens."""
    generator = torch.Generator().manual_seed(1)
    sample = torch.randn(batch, config["in_channels"], height, width, generator=generator)
    context = torch.randn(batch, 5, config["cross_attention_dim"], generator=generator)
    return sample, torch.tensor([3, 700, 41, 990])[:batch], context


@torch.no_grad()
def borders(
    denoiser: StagedUNet, inputs: tuple[Tensor, Tensor, Tensor]
) -> dict[str, tuple[Stage, StageInput, StageOutput]]:
    """What crosses the border of every stage that runs."""
    seen: dict[str, tuple[Stage, StageInput, StageOutput]] = {}
    denoiser.observed(*inputs, lambda stage, given, made: seen.__setitem__(stage.name, (stage, given, made)))
    return seen


def write_pipeline(folder: Path, config: dict[str, Any]) -> Path:
    """A whole small pipeline in half precision, with a velocity-predicting scheduler and stored embeddings."""
    network(config).half().save_pretrained(folder / "unet")
    torch.manual_seed(2)
    AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        latent_channels=config["in_channels"],
    ).save_pretrained(folder / "vae")
    PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="v_prediction"
    ).save_pretrained(folder / "scheduler")
    embeddings = {"null": torch.zeros(5, 12), "first": torch.full((5, 12), 1.0), "second": torch.full((5, 12), 2.0)}
    save_file(embeddings, folder / "conditioning.safetensors")
    return folder


def write_config(folder: Path, config: dict[str, Any]) -> Path:
    """A folder that holds nothing but a configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    return folder
