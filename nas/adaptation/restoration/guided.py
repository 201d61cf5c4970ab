"""A denoiser that is guided by a poor picture: further input channels, which say nothing before they are trained."""

from __future__ import annotations

from nas.adaptation.compressed_unet import CompressedUNet2DConditionModel

STEM = "denoiser.stem.conv_in.weight"


def guided(network: CompressedUNet2DConditionModel) -> CompressedUNet2DConditionModel:
    """The same network with room for a second latent of the same size: `B x 2C x H x W` in, `B x C x H x W` out.

    The weights of the new channels are zero, so that it computes what it computed, whatever the guide is.
    """
    teacher = dict(network.config.teacher)
    channels = int(teacher["in_channels"])
    made: CompressedUNet2DConditionModel = CompressedUNet2DConditionModel(
        teacher={**teacher, "in_channels": 2 * channels},
        architecture=dict(network.config.architecture),
        sample_size=network.config.sample_size,
        in_channels=2 * channels,
        cross_attention_dim=network.config.cross_attention_dim,
    )
    weights = dict(network.state_dict())
    stem = weights[STEM]
    weights[STEM] = stem.new_zeros(stem.shape[0], 2 * channels, *stem.shape[2:])
    weights[STEM][:, :channels] = stem
    made.load_state_dict(weights)
    return made
