"""The contract of every registered family; a newcomer is found through the registry."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest
import torch

from nas.domain.architecture import TEACHER_VARIANT
from nas.errors import InvalidSearchSpace, UnknownName
from nas.estimation.cost import flops_by_torch, stage_inputs
from nas.space.blocks.base import BLOCK_FAMILIES
from nas.space.blocks.catalogue import build_block, variants
from nas.space.stage import Stage, StageInput, StageOutput
from nas.space.teachers.staged_unet import StagedUNet
from tests.nas.space.networks import SD15, borders, narrow, noisy, on_meta, staged

CONFIG = narrow(
    SD15,
    block_out_channels=[16, 32, 32],
    down_block_types=["CrossAttnDownBlock2D"] * 2 + ["DownBlock2D"],
    up_block_types=["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 2,
)
META = on_meta(json.dumps(CONFIG))
EVERY = [
    (stage.name, variant)
    for stage in META.stages
    for variant in variants(stage, META.block(stage.name))
    if variant != TEACHER_VARIANT
]


@cache
def teacher() -> StagedUNet:
    return staged(CONFIG)


@cache
def border(stage: str) -> tuple[Stage, StageInput, StageOutput]:
    return borders(teacher(), noisy(CONFIG, 16, 16))[stage]


@pytest.mark.parametrize(("name", "variant"), EVERY, ids=lambda value: value)
def test_a_surrogate_keeps_shapes_and_learns_with_every_parameter(name: str, variant: str) -> None:
    stage, given, wanted = border(name)
    block = build_block(stage, teacher().block(name), variant)
    made = block(given)
    assert [tensor.shape for tensor in made.tensors()] == [tensor.shape for tensor in wanted.tensors()]
    assert all(torch.isfinite(tensor).all() for tensor in made.tensors())
    parameters = dict(block.named_parameters())
    if not parameters:
        return
    torch.manual_seed(0)
    sum((tensor * torch.randn_like(tensor)).sum() for tensor in made.tensors()).backward()
    idle = [key for key, value in parameters.items() if value.grad is None or value.grad.abs().max() < 1e-7]
    assert not idle
    own = {parameter.data_ptr() for parameter in teacher().parameters()}
    assert own.isdisjoint(parameter.data_ptr() for parameter in parameters.values())


@pytest.mark.parametrize("name", ["E1", "E2", "E3", "Mid", "D3", "D1"])  # D2 has the variants of D1
def test_every_surrogate_is_cheaper_than_the_teacher_and_runs_without_looking_at_values(name: str) -> None:
    stage = next(stage for stage in META.stages if stage.name == name)
    given = stage_inputs(META, CONFIG, latent=32, tokens=5)[name]
    whole = flops_by_torch(META.block(name), (given,))
    for variant in variants(stage, META.block(name))[1:]:
        # Values do not exist on the meta device: a branch on one raises here.
        cost = flops_by_torch(build_block(stage, META.block(name), variant), (given,))
        if variant.endswith(".all"):
            continue  # reads more skips than the teacher's unit does: cheap only with the units it drops
        assert cost.params < whole.params or cost.macs < whole.macs, variant


@pytest.mark.parametrize("variant", ["RA", "RA.none", "RAA.all", "narrow50", "linattn.ff50", "noself", "dwsep"])
def test_one_variant_of_each_kind_survives_export(variant: str) -> None:
    stage, given, _ = border("D1")
    block = build_block(stage, teacher().block("D1"), variant).eval()

    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = block

        def forward(self, hidden: torch.Tensor, temb: torch.Tensor, context: torch.Tensor, *skips: torch.Tensor):
            return self.block(StageInput(hidden, temb, context, skips)).hidden

    arguments = (given.hidden, given.temb, given.context, *given.skips)
    program = torch.export.export(Plain(), arguments, strict=False)
    with torch.no_grad():
        assert torch.allclose(program.module()(*arguments), Plain()(*arguments), atol=1e-5)


def test_every_family_is_used_somewhere_and_names_are_plain_words() -> None:
    assert {family for family, _ in BLOCK_FAMILIES} >= {
        "unit_removal",
        "stage_removal",
        "narrow_residual",
        "cheap_attention",
        "depthwise",
    }
    for name, family in BLOCK_FAMILIES:
        offered = [variant for stage in META.stages for variant in family.variants(stage, META.block(stage.name))]
        assert offered, name
        assert all(re.fullmatch(r"[A-Za-z0-9.]+", variant) for variant in offered)


def test_no_two_families_offer_the_same_name_at_a_stage() -> None:
    for stage in META.stages:
        names = [v for _, family in BLOCK_FAMILIES for v in family.variants(stage, META.block(stage.name))]
        assert len(set(names)) == len(names)


def test_the_teacher_variant_is_the_teachers_own_block() -> None:
    stage = META.stages[0]
    assert variants(stage, META.block("E1"))[0] == TEACHER_VARIANT
    assert build_block(stage, META.block("E1"), TEACHER_VARIANT) is META.block("E1")


def test_a_misspelt_variant_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(UnknownName, match="narrow50"):
        build_block(META.stages[0], META.block("E1"), "narow50")


@pytest.mark.parametrize("family", BLOCK_FAMILIES.names())
def test_a_family_refuses_what_it_does_not_offer(family: str) -> None:
    with pytest.raises(InvalidSearchSpace, match="E1"):
        BLOCK_FAMILIES.get(family).build(META.stages[0], META.block("E1"), "nonsense")


def test_the_same_seed_gives_the_same_block() -> None:
    stage = META.stages[-1]
    for variant in ("RA.all", "linattn", "dwsep2"):
        twins = []
        for _ in range(2):
            torch.manual_seed(7)
            twins.append(build_block(stage, teacher().block(stage.name), variant).state_dict())
        assert all(torch.equal(twins[0][key], twins[1][key]) for key in twins[0])
