"""Which `UNet2DConditionModel` configurations can be cut, judged without building the network."""

from __future__ import annotations

from collections.abc import Mapping

DOWN_BLOCKS = ("CrossAttnDownBlock2D", "DownBlock2D")
UP_BLOCKS = ("CrossAttnUpBlock2D", "UpBlock2D")
MID_BLOCKS = ("UNetMidBlock2DCrossAttn", None)

_REQUIRED: dict[str, tuple[object, ...]] = {
    "class_embed_type": (None,),
    "num_class_embeds": (None,),
    "addition_embed_type": (None,),
    "encoder_hid_dim": (None,),
    "encoder_hid_dim_type": (None,),
    "time_cond_proj_dim": (None,),
    "dual_cross_attention": (False, None),
    "attention_type": ("default", None),
    "resnet_time_scale_shift": ("default", None),
    "downsample_padding": (1, None),
    "dropout": (0.0, None),
    "mid_block_type": MID_BLOCKS,
}
"""Field -> values with which the cut, or a surrogate family, is faithful; absent fields are fine."""


def unsupported_fields(config: Mapping[str, object]) -> list[str]:
    """One sentence per field that cannot be staged; empty when all can."""
    faults = [
        f"{field} is {config[field]!r}, supported is {allowed[0]!r}"
        for field, allowed in _REQUIRED.items()
        if field in config and config[field] not in allowed
    ]
    for field, allowed in (("down_block_types", DOWN_BLOCKS), ("up_block_types", UP_BLOCKS)):
        given = config.get(field) or ()
        names = [str(name) for name in given] if isinstance(given, list | tuple) else [str(given)]
        strange = sorted(set(names) - set(allowed))
        if strange:
            faults.append(f"{field} has {', '.join(strange)}, supported are {' and '.join(allowed)}")
    return faults
