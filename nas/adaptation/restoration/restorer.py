"""The product of the chain: a picture in, a better one out, in one step, with diffusers' conventions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import ConfigMixin, DiffusionPipeline, ImagePipelineOutput, ModelMixin
from diffusers.configuration_utils import register_to_config
from PIL import Image
from torch import Tensor, nn

from nas.adaptation.compressed_unet import CompressedUNet2DConditionModel
from nas.adaptation.noise_schedule import NoiseSchedule
from nas.adaptation.restoration.standalone import Reals, Restoration, Unrestorable, restore
from nas.adaptation.restoration.tasks import GuidedDenoiser
from nas.errors import Fault, SpecError
from nas.space.teachers.codec import LatentCodec


class EmptyCondition(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers is untyped
    """What cross-attention sees when there is nothing to say: the teacher's own tokens for that, `L x D`."""

    config_name = "config.json"

    @register_to_config  # type: ignore[untyped-decorator]  # diffusers is untyped
    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.zeros(length, width), requires_grad=False)

    @classmethod
    def of(cls, tokens: Tensor) -> EmptyCondition:
        """Hold given tokens."""
        made: EmptyCondition = cls(*tokens.shape)
        made.tokens.data.copy_(tokens)
        return made


class OneStepPath(nn.Module):
    """Encoder, one call of the denoiser, decoder: `(enlarged B x 3 x T x T, noise B x C x t x t)` to pixels."""

    def __init__(self, codec: LatentCodec, denoiser: GuidedDenoiser, start: int, strength: float) -> None:
        super().__init__()
        self.vae, self.unet = codec.vae, denoiser.network  # registered, so that they are exported
        self.strength = strength
        self._codec, self._denoiser, self._start = codec, denoiser, start

    def forward(self, enlarged: Tensor, noise: Tensor | None = None) -> Tensor:
        """Restore; noise of strength 0 may be left out."""
        guide = self._codec.encode(enlarged)
        begun = torch.zeros_like(guide) if noise is None or not self.strength else self.strength * noise
        return self._codec.decode(self._denoiser.in_one_step(guide, begun, self._start))


class OneStepRestorer(DiffusionPipeline):  # type: ignore[misc]  # diffusers is untyped
    """Restores pictures of any size and mode in one step.

    `from_pretrained` and `save_pretrained` work as for any pipeline; nothing but JSON and safetensors is read.

    Args:
        unet: Guided and distilled.
        vae: Of the latents.
        scheduler: The teacher's noise schedule.
        condition: What cross-attention sees; None for a network without.
        scale: How many times larger the result's edges are.
        start: Timestep at which the step begins.
        noise: Strength of the noise it begins with.
        tile: Edge of a tile of the result in pixels.
        overlap: Pixels that neighbouring tiles share.
        seed: Of the noise.
    """

    _optional_components = ("condition",)

    def __init__(
        self,
        unet: CompressedUNet2DConditionModel,
        vae: Any,
        scheduler: Any,
        condition: EmptyCondition | None = None,
        scale: int = 4,
        start: int = 100,
        noise: float = 0.0,
        tile: int = 256,
        overlap: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.register_modules(unet=unet, vae=vae, scheduler=scheduler, condition=condition)
        self.register_to_config(scale=scale, start=start, noise=noise, tile=tile, overlap=overlap, seed=seed)
        self._require_whole_tiles()

    @property
    def how(self) -> Restoration:
        """What the network was made for, as tiles see it."""
        codec, config = LatentCodec(self.vae), self.config
        return Restoration(config.scale, config.tile, config.overlap, codec.factor, codec.channels, config.seed)

    @property
    def path(self) -> OneStepPath:
        """The whole way from enlarged pixels to restored ones."""
        tokens = None if self.condition is None else self.condition.tokens
        denoiser = GuidedDenoiser(self.unet, NoiseSchedule(self.scheduler, self.device), tokens)
        return OneStepPath(LatentCodec(self.vae), denoiser, self.config.start, self.config.noise).eval()

    def __call__(
        self,
        image: Image.Image | list[Image.Image],
        on_progress: Callable[[int, int], None] | None = None,
        return_dict: bool = True,
    ) -> Any:
        """Restore one picture or several.

        Args:
            image: Any size and mode.
            on_progress: Called with `(tiles done, tiles)` of each picture.
            return_dict: Whether to wrap the pictures as diffusers does.

        Raises:
            Unrestorable: If a picture is empty, animated, too large or of a mode without a known range.
        """
        path = self.path

        def run(tile: Reals, noise: Reals) -> Reals:
            with torch.inference_mode():
                pixels = path(torch.from_numpy(tile).to(self.device), torch.from_numpy(noise).to(self.device))
            return pixels.float().cpu().numpy()  # type: ignore[no-any-return]  # untyped in torch

        pictures = image if isinstance(image, list) else [image]
        restored = [restore(picture, run, self.how, on_progress) for picture in pictures]
        return ImagePipelineOutput(images=restored) if return_dict else (restored,)

    def _require_whole_tiles(self) -> None:
        config, codec = self.config, LatentCodec(self.vae)
        whole = max(config.scale, codec.factor)
        faults = [
            Fault(
                f"/{name}",
                f"{value} is no multiple of {whole} (scale {config.scale}, {codec.factor} pixels a latent pixel)",
                str(nearest),
            )
            for name, value in (("tile", config.tile), ("overlap", config.overlap))
            if value % config.scale or value % codec.factor
            for nearest in [max(whole, round(value / whole) * whole)]
        ]
        if config.overlap * 2 > config.tile:
            faults.append(Fault("/overlap", "more than half a tile would be shared", str(config.tile // 2)))
        if faults:
            raise SpecError(tuple(faults))


def load_restorer(folder: Path) -> OneStepRestorer:
    """A restorer from a folder; reads JSON and safetensors, nothing else.

    Raises:
        Unrestorable: If the folder holds none.
    """
    if not (folder / "model_index.json").is_file():
        raise Unrestorable(f"There is no restorer in {folder}: it has no model_index.json.")
    restorer: OneStepRestorer = OneStepRestorer.from_pretrained(folder, use_safetensors=True, low_cpu_mem_usage=False)
    return restorer
