from __future__ import annotations

import json

import pytest
import torch

from nas.domain.architecture import Architecture
from nas.domain.library import BlockCost
from nas.domain.value import FrozenDict
from nas.estimation.cost import flops_by_torch, stage_inputs
from nas.space.blocks.catalogue import build_block, variants
from nas.space.teachers.staged_unet import StagedUNet
from nas.space.unit_block import UnitBlock
from tests.nas.space.networks import SD15, SD15_16, borders, narrow, noisy, on_meta, staged

WINNER = {"E1": "R", "E2": "R", "E3": "R", "E4": "removed", "Mid": "removed", "D4": "removed"}


def built(denoiser: StagedUNet, stage: str, variant: str) -> UnitBlock:
    description = next(known for known in denoiser.stages if known.name == stage)
    block = build_block(description, denoiser.block(stage), variant)
    assert isinstance(block, UnitBlock)
    return block


@pytest.mark.parametrize(
    ("decoder", "millions", "gmacs"),
    [
        (("R", "RA", "RAA"), 143.2, 122.0),
        (("R.none", "RA.none", "RAA.none"), 120.1, 109.0),
        (("R.all", "RA.all", "RAA.all"), 176.0, 142.9),
    ],
    ids=["each unit reads its own skip", "no skips", "all skips into the first unit"],
)
def test_the_published_winner_costs_what_its_wiring_says(
    decoder: tuple[str, str, str], millions: float, gmacs: float
) -> None:
    denoiser = on_meta(json.dumps(SD15_16))
    chosen = {**WINNER, **dict(zip(("D3", "D2", "D1"), decoder, strict=True))}
    stages = {stage.name: stage for stage in denoiser.stages}
    network = denoiser.with_blocks(
        {name: build_block(stages[name], denoiser.block(name), variant) for name, variant in chosen.items()}
    )
    sample = torch.empty(1, 16, 64, 64, device="meta")
    context = torch.empty(1, 77, 768, device="meta")
    cost = flops_by_torch(network, (sample, torch.zeros(1, dtype=torch.long, device="meta"), context))
    assert round(cost.params / 1e6, 1) == millions
    assert round((cost.macs - cost.attention_macs) / 1e9, 1) == gmacs


def test_costs_of_the_winners_stages_add_up_to_the_whole() -> None:
    denoiser = on_meta(json.dumps(SD15_16))
    stages = {stage.name: stage for stage in denoiser.stages}
    chosen = {**WINNER, "D3": "R", "D2": "RA", "D1": "RAA"}
    blocks = {name: build_block(stages[name], denoiser.block(name), variant) for name, variant in chosen.items()}
    sample = torch.empty(1, 16, 64, 64, device="meta")
    timestep = torch.zeros(1, dtype=torch.long, device="meta")
    whole = flops_by_torch(denoiser.with_blocks(blocks), (sample, timestep, torch.empty(1, 77, 768, device="meta")))
    given = stage_inputs(denoiser, SD15_16, latent=64, tokens=77)
    parts = [flops_by_torch(block, (given[name],)) for name, block in blocks.items()]
    parts.append(flops_by_torch(denoiser.floor(), (sample, timestep)))
    assert whole == BlockCost(
        params=sum(part.params for part in parts),
        macs=sum(part.macs for part in parts),
        attention_macs=sum(part.attention_macs for part in parts),
    )


def test_strings_of_both_papers_are_offered() -> None:
    denoiser = on_meta(json.dumps(SD15))
    stages = {stage.name: stage for stage in denoiser.stages}
    offered = {name: set(variants(stage, denoiser.block(name))) for name, stage in stages.items()}
    assert offered["E1"] >= {"RA", "RR", "R", "RAR", "RRA"}
    assert offered["D2"] >= {"R", "RA", "RAR", "RRA", "RR", "RAA", "RRR", "RARA"}
    assert offered["Mid"] >= {"RA", "RR", "R", "removed"}
    assert offered["E4"] >= {"R", "removed"}
    assert offered["D4"] >= {"R", "RR", "removed"}


def test_stages_that_change_their_width_cannot_be_removed() -> None:
    denoiser = on_meta(json.dumps(SD15))
    stages = {stage.name: stage for stage in denoiser.stages}
    removable = {name for name, stage in stages.items() if "removed" in variants(stage, denoiser.block(name))}
    assert removable == {"E4", "Mid", "D4", "D3"}


def test_kept_units_are_the_teachers_first_and_last() -> None:
    denoiser = staged(narrow(SD15))
    teacher = denoiser.block("D2")
    assert isinstance(teacher, UnitBlock)
    short = built(denoiser, "D2", "RAR")
    originals = [teacher.units[0], teacher.units[1], teacher.units[4]]
    for copy, original in zip(short.units, originals, strict=True):
        assert all(torch.equal(value, original.state_dict()[key]) for key, value in copy.state_dict().items())
    assert short.wiring == ((0,), (2,))


def test_an_extra_attention_unit_comes_from_the_nearest_position_left() -> None:
    denoiser = staged(narrow(SD15))
    teacher = denoiser.block("D1")
    assert isinstance(teacher, UnitBlock)
    block = built(denoiser, "D1", "RAA")
    for unit, original in ((block.units[1], teacher.units[1]), (block.units[2], teacher.units[3])):
        assert torch.equal(unit.proj_in.weight, original.proj_in.weight)


def test_a_longer_encoder_prefix_reproduces_the_teachers_first_skips() -> None:
    config = narrow(SD15)
    denoiser = staged(config)
    _, given, wanted = borders(denoiser, noisy(config))["E2"]
    with torch.no_grad():
        made = built(denoiser, "E2", "RA")(given)
    assert torch.equal(made.skips[0], wanted.skips[0])
    assert torch.equal(made.skips[1], wanted.skips[1])
    assert torch.equal(made.skips[2], made.hidden)


def test_wirings_differ_in_the_skips_they_read() -> None:
    config = narrow(SD15)
    denoiser = staged(config)
    _, given, _ = borders(denoiser, noisy(config))["D2"]
    given = type(given)(given.hidden, given.temb, given.context, tuple(s.requires_grad_(True) for s in given.skips))
    read = {}
    for variant in ("R", "R.none", "R.all"):
        gradients = torch.autograd.grad(
            built(denoiser, "D2", variant)(given).hidden.sum(), given.skips, allow_unused=True
        )
        read[variant] = [gradient is not None for gradient in gradients]
    assert read == {"R": [True, False, False], "R.none": [False, False, False], "R.all": [True, True, True]}


def test_the_default_space_has_the_published_winner_and_is_large_enough() -> None:
    denoiser = on_meta(json.dumps(narrow(SD15_16)))
    space = denoiser.default_space()
    assert 32_768 <= space.size <= 100_000
    assert sum(size > 1 for size in space.cardinalities) >= 6
    winner = {**WINNER, "D3": "R", "D2": "RA", "D1": "RAA"}
    assert Architecture(choices=FrozenDict(winner)) in space
    trained = [v for choices in space.stages for v in choices.variants if v not in ("teacher", "removed")]
    assert 20 <= len(trained) <= 26
    assert all(choices.variants[0] == "teacher" for choices in space.stages)
