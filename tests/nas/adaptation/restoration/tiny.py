"""The smallest restorer that has everything: a U-Net of two levels and a VAE with one pixel in four."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler

from nas.adaptation.compressed_unet import CompressedUNet2DConditionModel
from nas.adaptation.noise_schedule import NoiseSchedule
from nas.adaptation.restoration.guided import guided
from nas.adaptation.restoration.restorer import EmptyCondition, OneStepRestorer
from nas.adaptation.restoration.tasks import GuidedDenoiser
from nas.space.teachers.codec import LatentCodec
from nas.space.teachers.load import LoadedTeacher, load
from tests.builders.tiny_unet import make_teacher

ARCHITECTURE = {"E2": "removed", "Mid": "removed", "D2": "removed"}
TOKENS = torch.ones(3, 8)


def tiny_teacher(folder: Path) -> LoadedTeacher:
    return load(make_teacher(folder))


def tiny_codec() -> LatentCodec:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vae = AutoencoderKL(
            block_out_channels=(8, 8, 8),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=32,
            scaling_factor=0.5,
            mid_block_add_attention=False,
        )
    return LatentCodec(vae.eval())


def tiny_network(
    teacher: LoadedTeacher, architecture: dict[str, str] = ARCHITECTURE
) -> CompressedUNet2DConditionModel:
    from nas.estimation.assemble import stage_named, untrained_block

    blocks = {
        name: untrained_block(teacher.denoiser, stage_named(teacher.denoiser, name), variant)
        for name, variant in architecture.items()
    }
    return CompressedUNet2DConditionModel.of(teacher.denoiser.with_blocks(blocks), teacher.config, architecture)


def schedule() -> NoiseSchedule:
    return NoiseSchedule(DDIMScheduler())


def tiny_denoiser(teacher: LoadedTeacher) -> GuidedDenoiser:
    return GuidedDenoiser(guided(tiny_network(teacher)), schedule(), TOKENS)


def tiny_restorer(teacher: LoadedTeacher, noise: float = 0.0) -> OneStepRestorer:
    network = guided(tiny_network(teacher))
    return OneStepRestorer(
        network,
        tiny_codec().vae,
        DDIMScheduler(),
        EmptyCondition.of(TOKENS),
        scale=4,
        noise=noise,
        tile=32,
        overlap=8,
    )
