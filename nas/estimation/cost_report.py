"""What a network costs, in all and by stage, from its configuration alone: a `config.json` will do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from nas.domain.architecture import TEACHER_VARIANT, Architecture
from nas.domain.device import Precision
from nas.domain.library import BlockCost
from nas.domain.teacher import TeacherRef
from nas.domain.value import FrozenDict
from nas.errors import InvalidSearchSpace
from nas.estimation.activation_memory import activation_peak
from nas.estimation.assemble import stage_named
from nas.estimation.cost import flops_by_torch, params_of, stage_borders
from nas.space.blocks.catalogue import build_block
from nas.space.teachers.base import StagedDenoiser
from nas.space.teachers.folder import read_json, teacher_folder
from nas.space.teachers.load import autoencoder_from_config, denoiser_from_config

TEACHER = Architecture(choices=FrozenDict())
BYTES_PER_VALUE: dict[Precision, int] = {"fp32": 4, "fp16": 2, "int8": 1}
_SINGLE = BYTES_PER_VALUE["fp32"]


@dataclass(frozen=True)
class Row:
    """Cost of one part of a network, batch 1, bytes in single precision.

    Attributes:
        name: Stage, or part of the floor.
        cost: Params and MACs.
        output_bytes: What it hands on, hidden state and skips.
        peak_bytes: Activations alive at once inside it, at most.
    """

    name: str
    cost: BlockCost
    output_bytes: int
    peak_bytes: int


def network_cost(
    ref: TeacherRef,
    latent: int = 64,
    tokens: int = 77,
    architecture: Architecture = TEACHER,
    precision: Precision = "fp32",
) -> dict[str, Any]:
    """Cost of a U-Net or a VAE at batch 1.

    Args:
        ref: A folder or hub name; weights are neither needed nor loaded.
        latent: Height and width of the latent.
        tokens: Number of conditioning tokens.
        architecture: Variants of the stages that do not keep the teacher's block.
        precision: That bytes are told in.

    Returns:
        `params`, `gmacs`, `gmacs_without_attention_products`, `weight_bytes`, `activation_peak_bytes` (of eager
        execution; a stage's own does not hold the skips that pass it by), `stages` with the same and `output_bytes`
        (hidden state and skips handed on) per stage, and for pipelines `vae` with a report of its own.

    Raises:
        NotFound: If there is no such teacher.
        UnknownName: If it has no such stage or variant.
        InvalidSearchSpace: If the network is of no supported family, or a VAE is to have other variants.
    """
    folder = teacher_folder(ref, weights=False)
    config = read_json(folder.unet / "config.json")
    if "Autoencoder" in str(config.get("_class_name")):
        if architecture.choices:
            raise InvalidSearchSpace("A VAE has no stages to replace.", "Name a U-Net.")
        return _report(list(_autoencoder_rows(config, latent)), precision)
    denoiser = _assembled(denoiser_from_config(config), architecture)
    rows = [*floor_rows(denoiser, config, latent), *stage_rows(denoiser, config, latent, tokens)]
    report = _report(rows, precision)
    report["activation_peak_bytes"] = _scaled(_whole_peak(denoiser, config, latent, tokens), precision)
    vae = folder.part("vae")
    if vae is not None:
        report["vae"] = _report(list(_autoencoder_rows(read_json(vae / "config.json"), latent)), precision)
    return report


def floor_rows(denoiser: StagedDenoiser, config: Mapping[str, Any], latent: int) -> Iterator[Row]:
    """Stem, time embedding and head of a denoiser on the meta device; none of them has attention."""
    floor, given = denoiser.floor(), {}
    sizes: dict[str, int] = {}

    def observe(name: str, inputs: tuple[Any, ...], output: Tensor) -> None:
        given[name], sizes[name] = inputs, _bytes(output)

    for name, part in floor.named_children():
        part.register_forward_hook(lambda _part, inputs, output, name=name: observe(name, inputs, output))
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        floor(_sample(config, latent), torch.zeros(1, dtype=torch.long, device="meta"))
    for name, part in floor.named_children():
        flops = sum(counter.get_flop_counts().get(f"{type(floor).__name__}.{name}", {}).values())
        cost = BlockCost(params=params_of(part), macs=flops // 2, attention_macs=0)
        peak = activation_peak(part, given[name]) if name in given else 0
        yield Row(name, cost, sizes.get(name, 0), peak)


def stage_rows(denoiser: StagedDenoiser, config: Mapping[str, Any], latent: int, tokens: int) -> Iterator[Row]:
    """The stages of a denoiser on the meta device, in order of execution."""
    borders = stage_borders(denoiser, config, latent, tokens)
    for stage in denoiser.stages:
        inputs, output = borders[stage.name]
        block = denoiser.block(stage.name)
        cost = flops_by_torch(block, (inputs,))
        yield Row(stage.name, cost, _bytes(*output.tensors()), activation_peak(block, (inputs,)))


def _assembled(denoiser: StagedDenoiser, architecture: Architecture) -> StagedDenoiser:
    blocks = {
        name: build_block(stage := stage_named(denoiser, name), denoiser.block(stage.name), variant)
        for name, variant in architecture.choices.items()
        if variant != TEACHER_VARIANT
    }
    return denoiser.with_blocks(blocks) if blocks else denoiser


def _whole_peak(denoiser: StagedDenoiser, config: Mapping[str, Any], latent: int, tokens: int) -> int:
    context = torch.empty(1, tokens, int(config["cross_attention_dim"]), device="meta")
    step = torch.zeros(1, dtype=torch.long, device="meta")
    return activation_peak(denoiser, (_sample(config, latent), step, context))


def _autoencoder_rows(config: Mapping[str, Any], latent: int) -> Iterator[Row]:
    """Encoder, decoder and their 1 x 1 convolutions, at the picture size that gives the latent."""
    network: Any = autoencoder_from_config(config)
    channels, edge = network.config.latent_channels, latent * 2 ** (len(network.config.block_out_channels) - 1)
    code = torch.empty(1, channels, latent, latent, device="meta")
    inputs = {
        "encoder": torch.empty(1, network.config.in_channels, edge, edge, device="meta"),
        "quant_conv": torch.empty(1, 2 * channels, latent, latent, device="meta"),
        "post_quant_conv": code,
        "decoder": code,
    }
    for name, given in inputs.items():
        part: nn.Module | None = getattr(network, name)
        if part is not None:
            yield Row(name, flops_by_torch(part, (given,)), _bytes(part(given)), activation_peak(part, (given,)))


def _report(rows: list[Row], precision: Precision) -> dict[str, Any]:
    stages: list[dict[str, Any]] = [
        {
            "stage": row.name,
            "params": row.cost.params,
            "gmacs": row.cost.macs / 1e9,
            "gmacs_without_attention_products": (row.cost.macs - row.cost.attention_macs) / 1e9,
            "output_bytes": _scaled(row.output_bytes, precision),
            "weight_bytes": row.cost.params * BYTES_PER_VALUE[precision],
            "activation_peak_bytes": _scaled(row.peak_bytes, precision),
        }
        for row in rows
    ]
    figures = ("params", "gmacs", "gmacs_without_attention_products", "weight_bytes")
    return {
        **{figure: sum(stage[figure] for stage in stages) for figure in figures},
        "activation_peak_bytes": max(stage["activation_peak_bytes"] for stage in stages),
        "precision": precision,
        "stages": stages,
    }


def _sample(config: Mapping[str, Any], latent: int) -> Tensor:
    return torch.empty(1, int(config["in_channels"]), latent, latent, device="meta")


def _scaled(size_bytes: int, precision: Precision) -> int:
    return size_bytes * BYTES_PER_VALUE[precision] // _SINGLE


def _bytes(*tensors: Tensor) -> int:
    """Bytes of distinct tensors: a surrogate may hand out one state as several skips."""
    return sum(tensor.numel() for tensor in {id(tensor): tensor for tensor in tensors}.values()) * _SINGLE
