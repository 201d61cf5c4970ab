"""From 4 to 16 latent channels: another VAE, another first and last convolution, everything else as it was.

TOC-SR, §3.1. More channels keep more of a picture (the paper's reconstruction gains 0.1 of SSIM), and cost a U-Net of
Stable Diffusion's size 0.008 % of parameters. The paper also tried necks, small convolutions that lead from the
new number of channels to the old ones in front of the old ends; nine times the loss is left with them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional

from nas.adaptation.crops import CropSource, stratified_timesteps
from nas.adaptation.noise_schedule import NoiseSchedule
from nas.space.teachers.codec import LatentCodec, from_bytes

ENDS = ("conv_in", "conv_out")


def expanded_config(config: Mapping[str, Any], channels: int) -> dict[str, Any]:
    """A U-Net's `config.json` with another number of latent channels."""
    return {**config, "in_channels": channels, "out_channels": channels}


def expand(unet: UNet2DConditionModel, channels: int, seed: int = 0) -> UNet2DConditionModel:
    """A U-Net for latents of `channels` channels: new ends, drawn from the seed, around the old inside (variant v2).

    Args:
        unet: The old one; left alone.
        channels: Of the new latents.
        seed: Of the new ends' weights.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        made = UNet2DConditionModel.from_config(expanded_config(unet.config, channels))
    kept = {name: value for name, value in unet.state_dict().items() if name.split(".")[0] not in ENDS}
    made.load_state_dict({**made.state_dict(), **kept})
    return made


def with_necks(
    unet: UNet2DConditionModel, inwards: Sequence[int], outwards: Sequence[int], seed: int = 0
) -> UNet2DConditionModel:
    """The same network, in place, between chains of small convolutions (variants v1 and v3; an ablation).

    Args:
        unet: The old one.
        inwards: Channels from the new latent to the old one: `(16, 4)` for v1, `(16, 8, 4)` for v3.
        outwards: Channels from the old prediction to the new one; empty replaces the last convolution by one that
            predicts `inwards[0]` channels, as v1 does.
        seed: Of the new weights.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        unet.conv_in = nn.Sequential(*_chain(inwards), unet.conv_in)
        if outwards:
            unet.conv_out = nn.Sequential(unet.conv_out, *_chain(outwards))
        else:
            unet.conv_out = nn.Conv2d(unet.conv_out.in_channels, inwards[0], 3, padding=1)
    unet.register_to_config(in_channels=inwards[0], out_channels=inwards[0])
    return unet


def _chain(channels: Sequence[int]) -> list[nn.Module]:
    return [nn.Conv2d(first, then, 3, padding=1) for first, then in itertools.pairwise(channels)]


@dataclass(frozen=True)
class AutoencoderTerms:
    """`λ_lat ‖z_s − z_t‖² + λ_rec ‖x − D_s(z_s)‖₁`; the paper gives no weights.

    Attributes:
        latents: λ_lat.
        reconstruction: λ_rec.
    """

    latents: float = 1.0
    reconstruction: float = 4.0

    def of(self, codec: LatentCodec, pixels: Tensor, latents: Tensor, wanted: Tensor) -> Tensor:
        """The weighted sum for latents that the codec made of pixels."""
        told = self.latents * functional.mse_loss(latents, wanted)
        return told + self.reconstruction * functional.l1_loss(codec.decode(latents), pixels)


class AutoencoderTask:
    """A VAE with more channels learns the latents of one that has them, and to go back from them.

    Args:
        student: Trained in place.
        teacher: Its latents are the targets.
        crops: Pictures.
        batch: Crops per step.
        terms: Weights of the loss.
    """

    def __init__(
        self,
        student: nn.Module,
        teacher: LatentCodec,
        crops: CropSource,
        batch: int,
        terms: AutoencoderTerms | None = None,
    ) -> None:
        self.network: nn.Module = student
        self._codec, self._teacher, self._crops, self._batch = LatentCodec(student), teacher, crops, batch
        self._terms = terms or AutoencoderTerms()

    def parameter_groups(self) -> list[tuple[float, list[nn.Parameter]]]:
        """Everything at one rate."""
        return [(1.0, list(self.network.parameters()))]

    def loss(self, step: int) -> Tensor:
        """The weighted sum of both terms."""
        pixels = from_bytes(self._crops.crops(step, self._batch))
        with torch.no_grad():
            wanted = self._teacher.encode(pixels)
        return self._terms.of(self._codec, pixels, self._codec.encode(pixels), wanted)


class JointTask:
    """VAE and U-Net together: the plain noise loss through the encoder, held by the VAE's own two terms.

    The noise loss alone would let the encoder make latents that are easy to denoise and say nothing.

    Args:
        unet: Expanded; trained in place.
        vae: Distilled; trained in place, at a tenth of the rate.
        teacher: Its latents hold the encoder.
        schedule: The teacher's.
        crops: Pictures.
        contexts: Conditions, dealt out in turn, `N x L x D`.
        batch: Crops per step.
        terms: Weights of the VAE's two terms.
    """

    def __init__(
        self,
        unet: UNet2DConditionModel,
        vae: nn.Module,
        teacher: LatentCodec,
        schedule: NoiseSchedule,
        crops: CropSource,
        contexts: Tensor,
        batch: int,
        terms: AutoencoderTerms | None = None,
    ) -> None:
        self.network: nn.Module = nn.ModuleDict({"unet": unet, "vae": vae})
        self._unet, self._codec, self._teacher = unet, LatentCodec(vae), teacher
        self._schedule, self._crops, self._contexts = schedule, crops, contexts
        self._batch, self._terms = batch, terms or AutoencoderTerms()

    def parameter_groups(self) -> list[tuple[float, list[nn.Parameter]]]:
        """The U-Net at the whole rate, the VAE at a tenth of it."""
        return [(1.0, list(self._unet.parameters())), (0.1, list(self._codec.vae.parameters()))]

    def loss(self, step: int) -> Tensor:
        """Noise loss plus the VAE's terms."""
        pixels = from_bytes(self._crops.crops(step, self._batch))
        with torch.no_grad():
            wanted = self._teacher.encode(pixels)
        latents = self._codec.encode(pixels)
        generator = self._crops.noise_generator("joint", step)
        timesteps = stratified_timesteps(self._batch, self._schedule.horizon, generator)
        noise = torch.randn(latents.shape, generator=generator)
        context = self._contexts[torch.arange(self._batch) % len(self._contexts)]
        predicted = self._unet(self._schedule.noised(latents, noise, timesteps), timesteps, context).sample
        told = functional.mse_loss(predicted, self._schedule.target(latents, noise, timesteps))
        return told + self._terms.of(self._codec, pixels, latents, wanted)
