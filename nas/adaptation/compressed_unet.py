"""The winner as a diffusers model: a teacher's configuration, an architecture, and its own weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin, UNet2DConditionModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from torch import Tensor

from nas.domain.architecture import TEACHER_VARIANT
from nas.estimation.assemble import stage_named
from nas.space.blocks.catalogue import build_block
from nas.space.teachers.base import StagedDenoiser
from nas.space.teachers.unet2d_condition import UNet2DConditionFamily


class CompressedUNet2DConditionModel(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers is untyped
    """A `UNet2DConditionModel` with some stages filled by surrogate blocks.

    Called like its teacher, so that pipelines take it in the teacher's place. `from_pretrained` and
    `save_pretrained` work as for any diffusers model; nothing but `config.json` and safetensors is read.

    Args:
        teacher: Configuration of the teacher's U-Net.
        architecture: Block variant per stage; stages left out keep the teacher's block.
        sample_size: Latent height and width the teacher was made for.
        in_channels: Latent channels.
        cross_attention_dim: Width of the conditioning tokens.
    """

    config_name = "config.json"
    _supports_gradient_checkpointing = False

    @register_to_config  # type: ignore[untyped-decorator]  # diffusers is untyped
    def __init__(
        self,
        teacher: Mapping[str, Any],
        architecture: Mapping[str, str],
        sample_size: int | None = None,
        in_channels: int | None = None,
        cross_attention_dim: int | None = None,
    ) -> None:
        super().__init__()
        del sample_size, in_channels, cross_attention_dim  # kept in the configuration for pipelines
        # Every weight is loaded afterwards. On the meta device nothing is initialised in vain, and no block
        # family derives its start from a teacher that is not there.
        with torch.device("meta"):
            staged = UNet2DConditionFamily().stage(UNet2DConditionModel.from_config(dict(teacher)))
            filled = with_variants(staged, architecture)
        self.denoiser: StagedDenoiser = filled.to_empty(device="cpu")

    @classmethod
    def of(
        cls, network: StagedDenoiser, teacher: Mapping[str, Any], architecture: Mapping[str, str]
    ) -> CompressedUNet2DConditionModel:
        """Wrap an assembled network; its weights are copied.

        Args:
            network: Assembled from `teacher` by `architecture`.
            teacher: The teacher's `config.json`.
            architecture: Block variant per stage.
        """
        model: CompressedUNet2DConditionModel = cls(
            teacher={name: value for name, value in teacher.items() if not name.startswith("_")},
            architecture=dict(architecture),
            sample_size=teacher.get("sample_size"),
            in_channels=teacher.get("in_channels"),
            cross_attention_dim=teacher.get("cross_attention_dim"),
        )
        model.denoiser.load_state_dict(network.state_dict())
        model.eval()
        return model

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float | int,
        encoder_hidden_states: Tensor | None = None,
        return_dict: bool = True,
        **unused: Any,
    ) -> UNet2DConditionOutput | tuple[Tensor]:
        """Predict noise (or velocity, as the teacher does).

        Args:
            sample: Noisy latents, `B x C x H x W`.
            timestep: One timestep, or one per sample.
            encoder_hidden_states: Conditioning tokens, `B x L x D`.
            return_dict: Whether to wrap the prediction as diffusers does.
            unused: Arguments of the teacher's signature that SD-shaped networks leave empty.
        """
        filled = sorted(name for name, value in unused.items() if value is not None)
        if filled:
            raise TypeError(f"a compressed U-Net takes no {', '.join(filled)}")
        steps = timestep if isinstance(timestep, Tensor) else sample.new_tensor([timestep])
        prediction = self.denoiser(sample, steps, encoder_hidden_states)
        return UNet2DConditionOutput(sample=prediction) if return_dict else (prediction,)


def with_variants(staged: StagedDenoiser, architecture: Mapping[str, str]) -> StagedDenoiser:
    """A teacher with the blocks of an architecture, as their families make them of the teacher's own.

    Raises:
        UnknownName: If a stage or a variant does not exist.
    """
    return staged.with_blocks(
        {
            name: build_block(stage_named(staged, name), staged.block(name), variant)
            for name, variant in architecture.items()
            if variant != TEACHER_VARIANT
        }
    )
