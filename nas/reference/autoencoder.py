"""The reference autoencoder: diffusers' `AutoencoderKL` around a closed-form linear patch code.

Encoder and decoder are the diffusers ones, module for module; each adds its output to a linear map of
non-overlapping patches, initialised in closed form by PCA (`patch_basis`). The networks start at zero and learn only
what the linear code cannot express, so training begins at the quality of PCA instead of at noise. A plain
`AutoencoderKL` upsamples by nearest neighbour and a 3 x 3 convolution, which cannot express the linear synthesis.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKL
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import Decoder, Encoder
from torch import Tensor, nn

from nas.reference.patch_basis import PatchBasis

INITIAL_LOG_VARIANCE = -8.0


class PatchEncoder(Encoder):  # type: ignore[misc]  # diffusers is untyped
    """`Encoder` whose mean is a linear patch code plus a learned correction."""

    def __init__(self, patch: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.patch_analysis = nn.Conv2d(settings["in_channels"], settings["out_channels"], patch, stride=patch)

    def forward(self, sample: Tensor) -> Tensor:
        """Map `B x 3 x H x W` in [-1, 1] to `B x 2C x H/f x W/f`: means, then log variances."""
        return self.with_patches(sample, self.correction(sample))

    def correction(self, sample: Tensor) -> Tensor:
        """Run the network alone; safe in bfloat16, because the large linear part is not in it."""
        return torch.as_tensor(super().forward(sample))

    def with_patches(self, sample: Tensor, correction: Tensor) -> Tensor:
        """Add the linear code to the means."""
        mean, log_variance = correction.chunk(2, dim=1)
        return torch.cat((mean + self.patch_analysis(sample), log_variance), dim=1)


class PatchDecoder(Decoder):  # type: ignore[misc]  # diffusers is untyped
    """`Decoder` whose output is a linear synthesis of patches plus a learned correction."""

    def __init__(self, patch: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.patch_synthesis = nn.ConvTranspose2d(
            settings["in_channels"], settings["out_channels"], patch, stride=patch
        )

    def forward(self, sample: Tensor, latent_embeds: Tensor | None = None) -> Tensor:
        """Map latents `B x C x h x w` to pixels `B x 3 x fh x fw`, nominally in [-1, 1]."""
        return self.with_patches(sample, self.correction(sample, latent_embeds))

    def correction(self, sample: Tensor, latent_embeds: Tensor | None = None) -> Tensor:
        """Run the network alone; safe in bfloat16."""
        return torch.as_tensor(super().forward(sample, latent_embeds))

    def with_patches(self, sample: Tensor, correction: Tensor) -> Tensor:
        """Add the linear synthesis to the pixels."""
        return correction + torch.as_tensor(self.patch_synthesis(sample))


class PatchAutoencoderKL(AutoencoderKL):  # type: ignore[misc]  # diffusers is untyped
    """`AutoencoderKL` with a linear patch code in parallel to encoder and decoder.

    The interface is that of `AutoencoderKL`: `from_pretrained`, `encode(x).latent_dist`, `decode(z).sample`,
    `config.scaling_factor`. Its arguments are the same too; the patch edge is the spatial factor
    `2 ** (len(block_out_channels) - 1)`. Inputs must have edges that are multiples of it.
    """

    @register_to_config  # type: ignore[untyped-decorator]  # diffusers is untyped
    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        down_block_types: tuple[str, ...] = ("DownEncoderBlock2D",) * 3,
        up_block_types: tuple[str, ...] = ("UpDecoderBlock2D",) * 3,
        block_out_channels: tuple[int, ...] = (16, 32, 64),
        layers_per_block: int = 1,
        act_fn: str = "silu",
        latent_channels: int = 16,
        norm_num_groups: int = 8,
        sample_size: int = 128,
        scaling_factor: float = 1.0,
        shift_factor: float | None = None,
        latents_mean: tuple[float, ...] | None = None,
        latents_std: tuple[float, ...] | None = None,
        force_upcast: bool = True,
        use_quant_conv: bool = False,
        use_post_quant_conv: bool = False,
        mid_block_add_attention: bool = False,
    ) -> None:
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            down_block_types=down_block_types,
            up_block_types=up_block_types,
            block_out_channels=block_out_channels,
            layers_per_block=layers_per_block,
            act_fn=act_fn,
            latent_channels=latent_channels,
            norm_num_groups=norm_num_groups,
            sample_size=sample_size,
            scaling_factor=scaling_factor,
            shift_factor=shift_factor,
            latents_mean=latents_mean,
            latents_std=latents_std,
            force_upcast=force_upcast,
            use_quant_conv=use_quant_conv,
            use_post_quant_conv=use_post_quant_conv,
            mid_block_add_attention=mid_block_add_attention,
        )
        patch = 2 ** (len(block_out_channels) - 1)
        shared = {
            "block_out_channels": block_out_channels,
            "layers_per_block": layers_per_block,
            "norm_num_groups": norm_num_groups,
            "act_fn": act_fn,
            "mid_block_add_attention": mid_block_add_attention,
        }
        self.encoder = PatchEncoder(
            patch,
            in_channels=in_channels,
            out_channels=latent_channels,
            down_block_types=down_block_types,
            double_z=True,
            **shared,
        )
        self.decoder = PatchDecoder(
            patch,
            in_channels=latent_channels,
            out_channels=out_channels,
            up_block_types=up_block_types,
            **shared,
        )

    def start_from(self, basis: PatchBasis) -> None:
        """Make the autoencoder compute exactly the given linear code, with a small constant variance."""
        with torch.no_grad():
            for convolution in (self.encoder.conv_out, self.decoder.conv_out):
                convolution.weight.zero_()
                convolution.bias.zero_()
            self.encoder.conv_out.bias[self.config.latent_channels :] = INITIAL_LOG_VARIANCE
        self.encoder.patch_analysis.load_state_dict({"weight": basis.analysis, "bias": basis.analysis_bias})
        self.decoder.patch_synthesis.load_state_dict({"weight": basis.synthesis, "bias": basis.mean})
