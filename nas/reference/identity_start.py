"""Closed-form start of the denoiser: before the first step it predicts its own input as the noise.

At large noise the input *is* the noise, nearly; at small noise the answer is wrong but the scale is right. A U-Net has no
connection around itself, so a fresh one spends thousands of steps on learning to hand its input through precisely,
and its inner levels have nothing to do meanwhile.
"""

from __future__ import annotations

from typing import Any

import torch

INNER_SHARE = 0.1
"""What is left of the default weights where the last decoder stage reads its inner neighbour."""


def start_as_identity(unet: Any) -> None:
    """Set weights of a `UNet2DConditionModel` so that its prediction is its input, up to normalisation.

    The first convolution writes the latent and its negative. The last decoder unit hands them on through its
    shortcut, its own branches at zero. Behind the last normalisation `silu(x) - silu(-x) = x`, exactly, so the last
    convolution reads the latent back. The normalisation divides by the input's deviation, which is about 1 at every
    timestep of a variance-preserving schedule.

    Args:
        unet: With at least twice as many channels at its outer level as latent channels.
    """
    latent = int(unet.config.in_channels)
    width = int(unet.config.block_out_channels[0])
    residual, attention = unet.up_blocks[-1].resnets[-1], unet.up_blocks[-1].attentions[-1]
    with torch.no_grad():
        signs = torch.zeros(width, latent)
        signs[:latent], signs[latent : 2 * latent] = torch.eye(latent), -torch.eye(latent)
        for convolution, weights in ((unet.conv_in, signs), (unet.conv_out, signs.T)):
            middle = convolution.kernel_size[0] // 2
            convolution.weight.zero_()
            convolution.bias.zero_()
            convolution.weight[:, :, middle, middle] = weights
        inner = residual.conv_shortcut.weight.shape[1] - width
        residual.conv_shortcut.weight[:, :inner].mul_(INNER_SHARE)
        residual.conv_shortcut.weight[:, inner:, 0, 0] = torch.eye(width)
        for layer in (residual.conv2, attention.proj_out):
            layer.weight.zero_()
            layer.bias.zero_()
        residual.conv_shortcut.bias.zero_()
