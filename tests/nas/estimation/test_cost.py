from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nas.domain.architecture import Architecture
from nas.domain.library import BlockCost
from nas.domain.teacher import TeacherRef
from nas.domain.value import FrozenDict
from nas.errors import InvalidSearchSpace, NotCounted, UnknownName
from nas.estimation.activation_memory import activation_peak
from nas.estimation.cost import count_block, count_floor, flops_by_torch, stage_inputs
from nas.estimation.cost_report import floor_rows, network_cost, stage_rows
from nas.estimation.fvcore_handles import einsum_macs
from nas.space.blocks.catalogue import build_block, variants
from nas.space.stage import StageBlock, StageInput, StageOutput
from tests.nas.space.networks import (
    BK_BASE,
    BK_SMALL,
    BK_TINY,
    SD15,
    SD15_16,
    SD_VAE,
    narrow,
    on_meta,
    write_config,
    write_pipeline,
)

SMALL = narrow(SD15)
REPRESENTATIVES = {
    "E1": ("teacher", "RA", "RRA", "linattn", "ff50", "narrow50"),
    "E4": ("teacher", "R", "removed", "dwsep"),
    "Mid": ("teacher", "RA", "removed", "noself.ff50"),
    "D4": ("RR.all", "removed"),
    "D2": ("teacher", "RAA.none", "RA.all", "linattn.ff50", "noself", "narrow50", "narrow25", "dwsep2"),
}


@pytest.mark.parametrize(
    ("config", "params", "gmacs", "without"),
    [
        (SD15, 859_520_964, 401.64, 338.61),
        (SD15_16, 859_590_096, 401.92, 338.89),
        (BK_BASE, 579_384_964, 261.50, 223.67),
        (BK_SMALL, 482_346_884, 255.45, 217.65),
        (BK_TINY, 323_384_964, 242.75, 204.95),
    ],
    ids=["SD1.5", "SD1.5 with 16 latent channels", "BK-SDM-Base", "BK-SDM-Small", "BK-SDM-Tiny"],
)
def test_published_networks_cost_what_is_published(
    tmp_path: Path, config: dict[str, Any], params: int, gmacs: float, without: float
) -> None:
    report = network_cost(TeacherRef(source=str(write_config(tmp_path, config))))
    assert report["params"] == params
    assert report["gmacs"] == pytest.approx(gmacs, abs=0.006)
    assert report["gmacs_without_attention_products"] == pytest.approx(without, abs=0.006)
    for figure in ("params", "gmacs", "gmacs_without_attention_products"):
        assert sum(stage[figure] for stage in report["stages"]) == pytest.approx(report[figure])


def test_the_vae_costs_what_is_published(tmp_path: Path) -> None:
    report = network_cost(TeacherRef(source=str(write_config(tmp_path, SD_VAE))))
    stages = {stage["stage"]: stage for stage in report["stages"]}
    assert stages["decoder"]["params"] == 49_490_179
    assert stages["encoder"]["params"] == 34_163_592
    assert report["params"] == 83_653_863
    assert stages["decoder"]["gmacs"] == pytest.approx(1257.3, abs=0.06)
    assert stages["decoder"]["gmacs_without_attention_products"] == pytest.approx(1240.08, abs=0.006)
    assert stages["encoder"]["gmacs_without_attention_products"] == pytest.approx(541.15, abs=0.006)


def test_the_inner_level_holds_the_params_and_the_outer_one_the_work() -> None:
    denoiser = on_meta(json.dumps(SD15))
    rows = {row.name: row.cost for row in (*floor_rows(denoiser, SD15, 64), *stage_rows(denoiser, SD15, 64, 77))}
    params, macs = (sum(getattr(cost, figure) for cost in rows.values()) for figure in ("params", "macs"))
    assert sum(rows[name].params for name in ("E4", "Mid", "D4")) / params == pytest.approx(0.39, abs=0.005)
    assert sum(rows[name].macs for name in ("E1", "D1")) / macs == pytest.approx(0.38, abs=0.005)


@pytest.mark.parametrize(
    "config", [SMALL, narrow(SD15, use_linear_projection=True, attention_head_dim=[2, 3, 4, 4])], ids=["SD1.5", "SD2"]
)
@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_fvcore_and_torch_agree_to_the_last_digit(name: str, config: dict[str, Any]) -> None:
    denoiser = on_meta(json.dumps(config))
    stage = next(stage for stage in denoiser.stages if stage.name == name)
    given = stage_inputs(denoiser, config, latent=16, tokens=5)[name]
    assert set(REPRESENTATIVES[name]) <= set(variants(stage, denoiser.block(name)))
    for variant in REPRESENTATIVES[name]:
        block = build_block(stage, denoiser.block(name), variant)
        assert count_block(stage, block, given) == flops_by_torch(block, (given,)), variant


def test_both_counters_agree_on_the_floor_and_the_parts_add_up_to_the_whole() -> None:
    denoiser = on_meta(json.dumps(SMALL))
    sample = torch.empty(1, 4, 16, 16, device="meta")
    timestep = torch.zeros(1, dtype=torch.long, device="meta")
    floor = count_floor(denoiser, sample)
    assert floor == flops_by_torch(denoiser.floor(), (sample, timestep))
    parts = [row.cost for row in (*floor_rows(denoiser, SMALL, 16), *stage_rows(denoiser, SMALL, 16, 5))]
    whole = flops_by_torch(denoiser, (sample, timestep, torch.empty(1, 5, 12, device="meta")))
    assert whole.params == sum(part.params for part in parts)
    assert whole.macs == sum(part.macs for part in parts)
    assert whole.attention_macs == sum(part.attention_macs for part in parts)


def test_cost_is_that_of_one_sample_whatever_the_batch() -> None:
    denoiser = on_meta(json.dumps(SMALL))
    stage = next(stage for stage in denoiser.stages if stage.name == "D2")
    one = stage_inputs(denoiser, SMALL, latent=16, tokens=5)["D2"]
    assert one.context is not None
    many = StageInput(
        torch.zeros(3, *one.hidden.shape[1:]),
        torch.zeros(3, *one.temb.shape[1:]),
        torch.zeros(3, *one.context.shape[1:]),
        tuple(torch.zeros(3, *skip.shape[1:]) for skip in one.skips),
    )
    assert count_block(stage, denoiser.block("D2"), many) == count_block(stage, denoiser.block("D2"), one)


def test_a_removed_stage_costs_nothing() -> None:
    denoiser = on_meta(json.dumps(SMALL))
    given = stage_inputs(denoiser, SMALL, latent=16, tokens=5)
    for stage in denoiser.stages:
        if stage.name in ("E4", "Mid", "D4"):
            block = build_block(stage, denoiser.block(stage.name), "removed")
            assert count_block(stage, block, given[stage.name]) == BlockCost(params=0, macs=0, attention_macs=0)


class Odd(StageBlock):
    """Uses an operator that nobody declared."""

    def forward(self, inputs: StageInput) -> StageOutput:
        return StageOutput(torch.fft.fft2(inputs.hidden).real)


def test_an_operator_nobody_declared_is_an_error_and_not_a_zero() -> None:
    denoiser = on_meta(json.dumps(SMALL))
    with pytest.raises(NotCounted, match="fft") as caught:
        count_block(denoiser.stages[0], Odd(), stage_inputs(denoiser, SMALL, 16, 5)["E1"])
    assert "E1" in caught.value.message


def test_counting_leaves_a_block_where_it_was() -> None:
    denoiser = on_meta(json.dumps(SMALL))
    count_block(denoiser.stages[0], denoiser.block("E1"), stage_inputs(denoiser, SMALL, 16, 5)["E1"])
    assert all(parameter.is_meta for parameter in denoiser.block("E1").parameters())


def test_einsum_costs_the_product_of_its_letters() -> None:
    assert einsum_macs("bnhd,bnhe->bhde", [(2, 7, 3, 4), (2, 7, 3, 5)]) == 2 * 7 * 3 * 4 * 5
    with pytest.raises(ValueError, match="operands"):
        einsum_macs("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 5)])


def test_a_pipeline_also_reports_its_vae_and_latents_scale_the_work(tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path, narrow(SD15_16))
    small, large = (network_cost(TeacherRef(source=str(folder)), latent=latent, tokens=5) for latent in (16, 32))
    assert small["vae"]["params"] > 0
    assert {stage["stage"] for stage in small["vae"]["stages"]} >= {"encoder", "decoder"}
    assert large["params"] == small["params"]
    assert large["gmacs"] > 4 * small["gmacs_without_attention_products"]
    assert [stage["stage"] for stage in small["stages"]][:3] == ["stem", "time_embedding", "head"]
    assert all(stage["weight_bytes"] == 4 * stage["params"] for stage in small["stages"])
    outer = next(stage for stage in small["stages"] if stage["stage"] == "D1")
    assert outer["output_bytes"] == 4 * 16 * 16 * 16


def test_a_network_of_another_kind_is_refused(tmp_path: Path) -> None:
    folder = write_config(tmp_path, {"_class_name": "AutoencoderTiny"})
    with pytest.raises(InvalidSearchSpace, match="AutoencoderTiny"):
        network_cost(TeacherRef(source=str(folder)))


def test_a_module_without_products_counts_as_zero() -> None:
    assert flops_by_torch(nn.SiLU(), (torch.empty(1, device="meta"),)) == BlockCost(
        params=0, macs=0, attention_macs=0
    )


class Bottle(nn.Module):
    """Widens, narrows and adds the input back: its peak is known by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        wide = torch.relu(self.wide(hidden))
        return self.narrow(wide) + hidden


def test_the_peak_of_activations_is_what_is_alive_at_once() -> None:
    with torch.device("meta"):
        network, hidden = Bottle(), torch.empty(1, 4, 16, 16)
    value = 4 * 16 * 16
    # Input, and the widened state before and after its activation: nothing is larger, weights do not count.
    assert activation_peak(network, (hidden,)) == 4 * value * (1 + 2 + 2)


def test_a_skip_that_passes_by_counts_in_the_whole_and_not_in_the_stage(tmp_path: Path) -> None:
    report = network_cost(TeacherRef(source=str(write_config(tmp_path, SMALL))), latent=16, tokens=5)
    stages = {stage["stage"]: stage for stage in report["stages"]}
    outer, inner = stages["E1"]["output_bytes"], stages["Mid"]["activation_peak_bytes"]
    assert report["activation_peak_bytes"] >= max(stage["activation_peak_bytes"] for stage in stages.values())
    assert report["activation_peak_bytes"] > outer + inner


def test_other_variants_cost_what_they_are_made_of_and_bytes_follow_the_precision(tmp_path: Path) -> None:
    ref = TeacherRef(source=str(write_config(tmp_path, SMALL)))
    smaller = Architecture(choices=FrozenDict({"Mid": "removed", "E1": "teacher"}))
    teacher, without = network_cost(ref, 16, 5), network_cost(ref, 16, 5, smaller)
    assert without["params"] < teacher["params"]
    assert next(s for s in without["stages"] if s["stage"] == "Mid")["params"] == 0
    half = network_cost(ref, 16, 5, precision="fp16")
    assert half["weight_bytes"] == teacher["weight_bytes"] // 2 == 2 * teacher["params"]
    assert half["activation_peak_bytes"] == teacher["activation_peak_bytes"] // 2
    with pytest.raises(UnknownName, match="stage"):
        network_cost(ref, 16, 5, Architecture(choices=FrozenDict({"E9": "RA"})))
