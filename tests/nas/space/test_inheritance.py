"""What surrogates take over from the teacher."""

from __future__ import annotations

import torch
from diffusers.models.resnet import ResnetBlock2D
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nas.space.blocks.cheap_attention import LinearSelfAttention, narrowed_feed_forward
from nas.space.blocks.depthwise import separated
from nas.space.blocks.narrow_residual import narrowed, strongest_channels
from nas.space.unit_block import UnitBlock
from tests.nas.space.networks import SD15, narrow, staged


def unit() -> ResnetBlock2D:
    torch.manual_seed(0)
    return ResnetBlock2D(in_channels=12, out_channels=16, temb_channels=8, groups=4)


@settings(max_examples=15)
@given(inputs=st.integers(1, 6), outputs=st.integers(1, 12), seed=st.integers(0, 99))
@torch.no_grad()
def test_as_many_filters_as_kernel_places_reproduce_the_dense_convolution(
    inputs: int, outputs: int, seed: int
) -> None:
    torch.manual_seed(seed)
    dense = nn.Conv2d(inputs, outputs, 3, padding=1)
    image = torch.randn(2, inputs, 5, 7)
    assert torch.allclose(separated(dense, min(9, outputs))(image), dense(image), atol=1e-4)


@torch.no_grad()
def test_more_filters_come_closer_and_none_is_worse_than_silence() -> None:
    torch.manual_seed(0)
    dense = nn.Conv2d(8, 16, 3, padding=1)
    image = torch.randn(4, 8, 12, 12)
    target = dense(image)
    errors = [(separated(dense, filters)(image) - target).square().mean().item() for filters in (1, 2, 4)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < (target - dense.bias[:, None, None]).square().mean()


@torch.no_grad()
def test_a_separable_convolution_is_found_exactly() -> None:
    torch.manual_seed(0)
    dense = nn.Conv2d(4, 6, 3, padding=1)
    dense.weight.copy_(torch.randn(6, 4, 1, 1) * torch.randn(1, 4, 3, 3))
    image = torch.randn(1, 4, 6, 6)
    assert torch.allclose(separated(dense, 1)(image), dense(image), atol=1e-5)


@torch.no_grad()
def test_narrowing_keeps_the_channels_that_are_read_most_in_every_group() -> None:
    teacher = unit()
    teacher.conv2.weight.mul_(0.01)
    loud = torch.tensor([1, 3, 4, 6, 9, 10, 12, 15])
    teacher.conv2.weight[:, loud] *= 100
    assert torch.equal(strongest_channels(teacher, 50), loud)


@torch.no_grad()
def test_narrowing_away_silent_copies_changes_nothing() -> None:
    teacher = unit()
    # Channels of each group come in equal pairs, and of each pair only one is read.
    for pair in range(0, 16, 2):
        for parameter in (teacher.conv1.weight, teacher.conv1.bias, teacher.time_emb_proj.weight):
            parameter[pair + 1] = parameter[pair]
        teacher.time_emb_proj.bias[pair + 1] = teacher.time_emb_proj.bias[pair]
    teacher.conv2.weight[:, 1::2] = 0
    sample, temb = torch.randn(2, 12, 6, 6), torch.randn(2, 8)
    assert torch.allclose(narrowed(teacher, 50)(sample, temb), teacher(sample, temb), atol=1e-5)


@torch.no_grad()
def test_the_time_embedding_survives_the_narrowest_unit() -> None:
    narrow_unit = narrowed(unit(), 25)
    sample = torch.randn(1, 12, 6, 6)
    changed = narrow_unit(sample, torch.randn(1, 8)) - narrow_unit(sample, torch.randn(1, 8))
    assert changed.abs().max() > 1e-2


@torch.no_grad()
def test_a_feed_forward_layer_keeps_the_units_that_speak() -> None:
    block = staged(narrow(SD15)).block("E1")
    assert isinstance(block, UnitBlock)
    teacher = block.of("A")[0].transformer_blocks[0].ff
    teacher.net[2].weight[:, ::2] = 0
    tokens = torch.randn(2, 9, 16)
    half = narrowed_feed_forward(teacher, 50)
    assert half.net[2].in_features == teacher.net[2].in_features // 2
    assert torch.allclose(half(tokens), teacher(tokens), atol=1e-6)


@torch.no_grad()
def test_linear_attention_is_a_weighted_mean_of_the_values() -> None:
    block = staged(narrow(SD15)).block("E1")
    assert isinstance(block, UnitBlock)
    teacher = block.of("A")[0].transformer_blocks[0].attn1
    attention = LinearSelfAttention(teacher)
    tokens = torch.randn(2, 9, 16)
    query = nn.functional.elu(teacher.to_q(tokens)).add(1).view(2, 9, 2, 8)
    key = nn.functional.elu(teacher.to_k(tokens)).add(1).view(2, 9, 2, 8)
    weights = torch.einsum("bnhd,bmhd->bhnm", query, key)
    weights = weights / weights.sum(-1, keepdim=True)
    expected = torch.einsum("bhnm,bmhe->bnhe", weights, teacher.to_v(tokens).view(2, 9, 2, 8)).flatten(2)
    assert torch.allclose(attention(tokens), teacher.to_out[0](expected), atol=1e-5)
