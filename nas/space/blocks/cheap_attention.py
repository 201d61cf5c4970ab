"""Cheaper attention units: linear self-attention, none at all, and narrower feed-forward layers.

* `linattn`: self-attention without softmax, `phi(Q) (phi(K)^T V)` with `phi = elu + 1` (Katharopoulos et
  al., "Transformers are RNNs", ICML 2020): linear in the number of tokens. Pays where tokens outnumber
  the channels of a head, at the outer levels. Projections are the teacher's.
* `noself`: no self-attention. Cross-attention and feed-forward stay; MobileDiffusion (Zhao et al.,
  2023) drops self-attention at high resolution likewise.
* `ff50`: the stronger half of the feed-forward's inner units, by the product of the norms of the
  weights that write and read each.

Residual units are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.activations import GEGLU
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn
from torch.nn import functional

from nas.space.blocks.base import BLOCK_FAMILIES, BlockFamily
from nas.space.blocks.inheritance import copied, rebuilt, with_linear
from nas.space.stage import Stage, StageBlock
from nas.space.unit_block import UnitBlock


@dataclass(frozen=True)
class Recipe:
    """What becomes of an attention unit.

    Attributes:
        self_attention: `softmax` as in the teacher, `linear` or `none`.
        feed_forward_percent: Inner units kept.
    """

    self_attention: str = "softmax"
    feed_forward_percent: int = 100


RECIPES = {
    "ff50": Recipe(feed_forward_percent=50),
    "linattn": Recipe("linear"),
    "noself": Recipe("none"),
    "linattn.ff50": Recipe("linear", 50),
    "noself.ff50": Recipe("none", 50),
}


class CheapAttention(BlockFamily):
    """Variants of the attention units, by recipe."""

    def variants(self, stage: Stage, block: StageBlock) -> tuple[str, ...]:
        """All recipes, where every attention unit is a plain transformer."""
        if "A" not in stage.units or not isinstance(block, UnitBlock):
            return ()
        return tuple(RECIPES) if all(_is_plain(unit) for unit in block.of("A")) else ()

    def build(self, stage: Stage, block: StageBlock, variant: str) -> UnitBlock:
        """The teacher's units with cheaper transformers."""
        self.require(stage, block, variant)
        assert isinstance(block, UnitBlock)
        recipe = RECIPES[variant]
        return rebuilt(block, attention=lambda unit: _cheaper(unit, recipe))


class CheapTransformer(nn.Module):
    """A pre-norm transformer layer: self-attention if any, cross-attention if any, feed-forward.

    Called as diffusers' `Transformer2DModel` calls its layers.
    """

    def __init__(self, teacher: Any, recipe: Recipe) -> None:
        super().__init__()
        self.norm1: nn.Module | None = None
        self.attn1: nn.Module | None = None
        if recipe.self_attention != "none":
            self.norm1 = copied(teacher.norm1)
            linear = recipe.self_attention == "linear"
            self.attn1 = LinearSelfAttention(teacher.attn1) if linear else copied(teacher.attn1)
        self.norm2 = None if teacher.attn2 is None else copied(teacher.norm2)
        self.attn2 = None if teacher.attn2 is None else copied(teacher.attn2)
        self.norm3 = copied(teacher.norm3)
        self.ff = narrowed_feed_forward(teacher.ff, recipe.feed_forward_percent)

    def forward(self, hidden: Tensor, encoder_hidden_states: Tensor | None = None, **_unused: Any) -> Tensor:
        """`B x N x C` to `B x N x C`."""
        if self.attn1 is not None and self.norm1 is not None:
            hidden = hidden + self.attn1(self.norm1(hidden))
        if self.attn2 is not None and self.norm2 is not None:
            hidden = hidden + self.attn2(self.norm2(hidden), encoder_hidden_states=encoder_hidden_states)
        mixed: Tensor = hidden + self.ff(self.norm3(hidden))
        return mixed


class LinearSelfAttention(nn.Module):
    """Softmax-free self-attention with the teacher's projections.

    Products are written as `einsum`, which the cost model counts as attention products.
    """

    def __init__(self, teacher: Any) -> None:
        super().__init__()
        self.heads = int(teacher.heads)
        self.to_q = copied(teacher.to_q)
        self.to_k = copied(teacher.to_k)
        self.to_v = copied(teacher.to_v)
        self.to_out = copied(teacher.to_out[0])

    def forward(self, hidden: Tensor) -> Tensor:
        """`B x N x C` to `B x N x C`."""
        query = functional.elu(self._split(self.to_q(hidden))) + 1.0
        key = functional.elu(self._split(self.to_k(hidden))) + 1.0
        # The mean over tokens instead of the sum keeps both products in half precision's range.
        key = key / key.shape[1]
        memory = torch.einsum("bnhd,bnhe->bhde", key, self._split(self.to_v(hidden)))
        weight = torch.einsum("bnhd,bhd->bnh", query, key.sum(dim=1))
        mixed = torch.einsum("bnhd,bhde->bnhe", query, memory) / weight[..., None]
        projected: Tensor = self.to_out(mixed.flatten(2))
        return projected

    def _split(self, tokens: Tensor) -> Tensor:
        """`B x N x C` to `B x N x heads x C/heads`."""
        return tokens.view(*tokens.shape[:2], self.heads, -1)


def narrowed_feed_forward(teacher: Any, percentage: int) -> nn.Module:
    """A gated feed-forward layer with its strongest inner units; at 100 percent a copy."""
    narrow: Any = copied(teacher)
    if percentage < 100:
        gated, read = teacher.net[0].proj, teacher.net[2]
        inner = read.in_features
        written = gated.weight.detach()[:inner].norm(dim=1) * gated.weight.detach()[inner:].norm(dim=1)
        strength = written * read.weight.detach().norm(dim=0)
        kept = strength.topk(max(1, inner * percentage // 100)).indices.sort().values
        rows = torch.cat([kept, kept + inner])
        narrow.net[0].proj = with_linear(gated.weight[rows], None if gated.bias is None else gated.bias[rows])
        narrow.net[2] = with_linear(read.weight[:, kept], read.bias)
    layer: nn.Module = narrow
    return layer


def _cheaper(unit: nn.Module, recipe: Recipe) -> nn.Module:
    cheap = copied(unit)
    layers: Any = cheap.transformer_blocks
    cheap.transformer_blocks = nn.ModuleList(CheapTransformer(layer, recipe) for layer in layers)
    return cheap


def _is_plain(unit: nn.Module) -> bool:
    """Whether a unit is made of pre-norm layers with softmax self-attention and a gated feed-forward."""
    if not isinstance(unit, Transformer2DModel):
        return False
    layers: Any = unit.transformer_blocks
    return all(
        isinstance(layer, BasicTransformerBlock)
        and layer.norm_type == "layer_norm"
        and not layer.only_cross_attention
        and isinstance(layer.ff.net[0], GEGLU)
        for layer in layers
    )


BLOCK_FAMILIES.register("cheap_attention")(CheapAttention())
