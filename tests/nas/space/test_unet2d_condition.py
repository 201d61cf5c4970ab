from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from nas.errors import InvalidSearchSpace, UnknownName
from nas.space.blocks.catalogue import build_block
from nas.space.teachers.load import denoiser_from_config
from nas.space.teachers.unet2d_condition import UNet2DConditionFamily
from tests.nas.space.networks import (
    BK_BASE,
    BK_SMALL,
    BK_TINY,
    SD15,
    SD15_16,
    borders,
    narrow,
    network,
    noisy,
    staged,
)

LAYOUTS: dict[str, dict[str, Any]] = {
    "SD1.5": narrow(SD15),
    "SD1.5 with 16 latent channels": narrow(SD15_16),
    "SD2": narrow(SD15, use_linear_projection=True, attention_head_dim=[2, 3, 4, 4], upcast_attention=True),
    "BK-SDM-Base": narrow(BK_BASE),
    "BK-SDM-Small": narrow(BK_SMALL),
    "BK-SDM-Tiny": narrow(BK_TINY),
    "depth per level": narrow(SD15, layers_per_block=[1, 2, 3, 1]),
    "two levels": narrow(
        SD15,
        block_out_channels=[16, 24],
        down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
        up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"],
    ),
    "centred input": narrow(SD15, center_input_sample=True, time_embedding_act_fn="silu"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(16, 16), (13, 22)], ids=["even sides", "odd sides"])
@torch.no_grad()
def test_the_cut_network_equals_its_teacher_bit_for_bit(layout: str, size: tuple[int, int]) -> None:
    config = LAYOUTS[layout]
    teacher = network(config)
    sample, timestep, context = noisy(config, *size)
    expected = teacher(sample, timestep, context).sample
    denoiser = UNet2DConditionFamily().stage(teacher)
    assert torch.equal(denoiser(sample, timestep, context), expected)
    assert torch.equal(denoiser.with_blocks({})(sample, timestep, context), expected)


@torch.no_grad()
def test_one_timestep_serves_a_whole_batch() -> None:
    config = narrow(SD15)
    sample, _, context = noisy(config)
    alone = staged(config)(sample, torch.tensor(41), context)
    assert torch.equal(alone, staged(config)(sample, torch.tensor([41, 41]), context))


def test_stages_carry_the_names_and_units_of_the_papers() -> None:
    units = {stage.name: stage.units for stage in staged(narrow(SD15)).stages}
    encoder = {"E1": "RARA", "E2": "RARA", "E3": "RARA", "E4": "RR"}
    decoder = {"D4": "RRR", "D3": "RARARA", "D2": "RARARA", "D1": "RARARA"}
    assert units == {**encoder, "Mid": "RAR", **decoder}
    assert list(units) == [*encoder, "Mid", *decoder]


def test_only_the_outermost_level_and_the_middle_do_not_resample() -> None:
    assert {stage.name for stage in staged(narrow(SD15)).stages if not stage.resamples} == {"E1", "Mid", "D1"}


def test_a_decoder_stage_consumes_exactly_the_skips_of_its_mirror() -> None:
    config = narrow(SD15)
    seen = borders(staged(config), noisy(config))
    for level in "1234":
        produced, consumed = seen[f"E{level}"][2].skips, seen[f"D{level}"][1].skips
        assert [id(skip) for skip in consumed] == [id(skip) for skip in reversed(produced)]
        assert len(produced) == 3


def test_an_encoder_stage_begins_with_its_downsampler_and_a_decoder_stage_ends_with_its_upsampler() -> None:
    config = narrow(SD15)
    seen = borders(staged(config), noisy(config))
    assert seen["E2"][1].hidden.shape[-1] == 16
    assert [skip.shape[-1] for skip in seen["E2"][2].skips] == [8, 8, 8]
    assert seen["D2"][1].hidden.shape[-1] == 8
    assert seen["D2"][2].hidden.shape[-1] == 16


def test_every_parameter_belongs_to_exactly_one_stage_or_to_the_floor() -> None:
    teacher = network(narrow(SD15))
    denoiser = UNet2DConditionFamily().stage(teacher)
    parts = [denoiser.floor(), *(denoiser.block(stage.name) for stage in denoiser.stages)]
    owned = [id(parameter) for part in parts for parameter in part.parameters()]
    assert sorted(owned) == sorted(id(parameter) for parameter in teacher.parameters())


def test_replacing_a_block_leaves_the_original_and_shares_the_rest() -> None:
    config = narrow(SD15)
    denoiser = staged(config)
    stage = denoiser.stages[1]
    surrogate = build_block(stage, denoiser.block("E2"), "R")
    changed = denoiser.with_blocks({"E2": surrogate})
    assert changed.block("E2") is surrogate
    assert denoiser.block("E2") is not surrogate
    assert changed.block("D1") is denoiser.block("D1")
    assert changed.head is denoiser.head
    inputs = noisy(config)
    with torch.no_grad():
        assert not torch.equal(changed(*inputs), denoiser(*inputs))


def test_training_a_surrogate_leaves_the_teacher_as_it_was() -> None:
    config = narrow(SD15)
    denoiser = staged(config)
    before = copy.deepcopy(denoiser.state_dict())
    stage, given, wanted = borders(denoiser, noisy(config))["D1"]
    for variant in ("RA", "RA.all", "narrow50", "linattn.ff50", "dwsep"):
        surrogate = build_block(stage, denoiser.block("D1"), variant)
        optimiser = torch.optim.SGD(surrogate.parameters(), lr=0.1)
        torch.nn.functional.mse_loss(surrogate(given).hidden, wanted.hidden).backward()
        optimiser.step()
    assert all(torch.equal(tensor, before[name]) for name, tensor in denoiser.state_dict().items())


def test_an_unknown_stage_is_named_with_the_nearest_one() -> None:
    denoiser = staged(narrow(SD15))
    with pytest.raises(UnknownName, match="E4"):
        denoiser.block("e4")
    with pytest.raises(UnknownName):
        denoiser.with_blocks({"Middle": denoiser.block("Mid")})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("class_embed_type", "timestep"),
        ("addition_embed_type", "text_time"),
        ("encoder_hid_dim", 8),
        ("resnet_time_scale_shift", "scale_shift"),
        ("mid_block_type", "UNetMidBlock2D"),
        ("down_block_types", ["AttnDownBlock2D"] * 4),
        ("up_block_types", ["ResnetUpsampleBlock2D"] * 4),
        ("dual_cross_attention", True),
    ],
)
def test_what_the_cut_would_lose_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidSearchSpace, match=field):
        denoiser_from_config(narrow(SD15, **{field: value}))


def test_a_network_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidSearchSpace, match="Linear"):
        UNet2DConditionFamily().stage(torch.nn.Linear(2, 2))
    with pytest.raises(InvalidSearchSpace, match="Transformer2DModel"):
        denoiser_from_config({"_class_name": "Transformer2DModel"})


def test_a_removed_level_is_bypassed_without_losing_resolution() -> None:
    config = narrow(SD15)
    denoiser = staged(config)
    inner = {stage.name: stage for stage in denoiser.stages if stage.name in ("E4", "Mid", "D4")}
    removed = {name: build_block(stage, denoiser.block(name), "removed") for name, stage in inner.items()}
    network_without = denoiser.with_blocks(removed)
    seen = borders(network_without, noisy(config))
    assert set(inner).isdisjoint(seen)
    assert seen["D3"][1].hidden is seen["E3"][2].hidden


def test_a_level_removed_in_part_still_runs() -> None:
    config = narrow(SD15)
    denoiser = staged(config)
    stages = {stage.name: stage for stage in denoiser.stages}
    inputs = noisy(config, 13, 22)
    reference = borders(denoiser, inputs)
    for names in (("E4",), ("Mid",), ("D4",), ("E4", "D4"), ("Mid", "D4")):
        blocks = {name: build_block(stages[name], denoiser.block(name), "removed") for name in names}
        seen = borders(denoiser.with_blocks(blocks), inputs)
        assert set(seen) == set(reference)
        assert all(seen[name][2].hidden.shape == reference[name][2].hidden.shape for name in seen)


def test_the_floor_depends_on_latent_and_timestep() -> None:
    config = narrow(SD15)
    floor = staged(config).floor()
    sample, timestep, _ = noisy(config)
    with torch.no_grad():
        assert floor(sample, timestep).shape == sample.shape
        assert not torch.equal(floor(sample, timestep), floor(sample, timestep + 100))
