"""Exact params and multiply-accumulates of blocks and networks, by two independent counters.

Library entries are counted by fvcore on real tensors, block by block, so that no operator can hide.
Whole networks are counted by torch's `FlopCounterMode` on the meta device, which allocates nothing: a
folder with nothing but a `config.json` will do. Tests hold the two to each other and to published figures.

Both report attention's products (QK^T and AV) apart, because published figures leave them out.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from nas.domain.library import BlockCost
from nas.domain.teacher import TeacherRef
from nas.errors import NotCounted
from nas.estimation.fvcore_handles import ATTENTION, HANDLES
from nas.space.stage import Stage, StageBlock, StageInput, StageOutput
from nas.space.teachers.base import StagedDenoiser
from nas.space.teachers.folder import read_json, teacher_folder
from nas.space.teachers.load import autoencoder_from_config, denoiser_from_config

BYTES_PER_VALUE = 4
"""Single precision."""


def count_block(stage: Stage, block: StageBlock, inputs: StageInput) -> BlockCost:
    """Count one block with fvcore, at batch 1.

    Args:
        stage: Where the block stands; named in errors.
        block: Counted where it lives; one on the meta device is materialised without values, and freed.
        inputs: Shapes to count at; only the first sample is used.

    Raises:
        NotCounted: If the block uses an operator that is neither counted nor declared free.
    """
    return _count(_Flat(block, inputs), _flat(_single(inputs)), f"block of stage {stage.name}")


def count_floor(denoiser: StagedDenoiser, sample: Tensor) -> BlockCost:
    """Count stem, time embedding and head with fvcore, at batch 1.

    Args:
        denoiser: Any architecture; all pay the same floor.
        sample: A noisy latent, `B x C x H x W`.

    Raises:
        NotCounted: If it uses an operator that is neither counted nor declared free.
    """
    return _count(denoiser.floor(), (sample[:1], torch.zeros(1, dtype=torch.long)), "floor")


def flops_by_torch(module: nn.Module, inputs: tuple[Any, ...]) -> BlockCost:
    """Count a module with torch's `FlopCounterMode`: the independent cross-check of fvcore.

    Args:
        module: On the meta device; on a real one the fused attention kernels would escape the counter.
        inputs: Arguments of its `forward`, on the meta device.
    """
    counter = FlopCounterMode(display=False)
    products = _AttentionProducts(counter)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter, products:
        module(*inputs)
    return BlockCost(params=_params(module), macs=counter.get_total_flops() // 2, attention_macs=products.flops // 2)


def network_cost(ref: TeacherRef, latent: int = 64, tokens: int = 77) -> dict[str, Any]:
    """Cost of a U-Net or a VAE at batch 1, in all and by stage, from its configuration alone.

    Args:
        ref: A folder or hub name; weights are neither needed nor loaded.
        latent: Height and width of the latent.
        tokens: Number of conditioning tokens.

    Returns:
        `params`, `gmacs`, `gmacs_without_attention_products`, `stages` with the same per stage, and
        for pipelines `vae` with a report of its own. `output_bytes` is what a stage hands on, hidden
        state and skips; `weight_bytes` its parameters; both in single precision.

    Raises:
        NotFound: If there is no such teacher.
        InvalidSearchSpace: If the network is of no supported family.
    """
    folder = teacher_folder(ref, weights=False)
    config = read_json(folder.unet / "config.json")
    if "Autoencoder" in str(config.get("_class_name")):
        return _report(_autoencoder_rows(config, latent))
    report = _report(denoiser_rows(denoiser_from_config(config), config, latent, tokens))
    vae = folder.part("vae")
    if vae is not None:
        report["vae"] = _report(_autoencoder_rows(read_json(vae / "config.json"), latent))
    return report


def stage_inputs(
    denoiser: StagedDenoiser, config: Mapping[str, Any], latent: int, tokens: int
) -> dict[str, StageInput]:
    """Input of every stage on the meta device, batch 1: shapes without values.

    Args:
        denoiser: On the meta device.
        config: Its `config.json`.
        latent: Height and width of the latent.
        tokens: Number of conditioning tokens.
    """
    return {name: inputs for name, (inputs, _) in _borders(denoiser, config, latent, tokens).items()}


def denoiser_rows(
    denoiser: StagedDenoiser, config: Mapping[str, Any], latent: int, tokens: int
) -> Iterator[tuple[str, BlockCost, int]]:
    """`(stage, cost, bytes handed on)` of a denoiser on the meta device: floor first, then the stages."""
    sample = torch.empty(1, int(config["in_channels"]), latent, latent, device="meta")
    yield from _part_rows(denoiser.floor(), (sample, torch.zeros(1, dtype=torch.long, device="meta")))
    borders = _borders(denoiser, config, latent, tokens)
    for stage in denoiser.stages:
        inputs, output = borders[stage.name]
        yield stage.name, flops_by_torch(denoiser.block(stage.name), (inputs,)), _bytes(*output.tensors())


class _Flat(nn.Module):
    """A block behind plain tensors, as tracing wants them."""

    def __init__(self, block: StageBlock, inputs: StageInput) -> None:
        super().__init__()
        self.block = block
        self.has_context = inputs.context is not None
        self.size = inputs.size

    def forward(self, hidden: Tensor, temb: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        context, skips = (others[0], others[1:]) if self.has_context else (None, others)
        output: StageOutput = self.block(StageInput(hidden, temb, context, skips, self.size))
        return output.tensors()


class _AttentionProducts(TorchFunctionMode):
    """Sums what a flop counter counts inside attention products alone."""

    functions: tuple[Callable[..., Any], ...] = (functional.scaled_dot_product_attention, torch.einsum)

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()
        self.counter = counter
        self.flops = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = self.counter.get_total_flops() if func in self.functions else 0
        result = func(*args, **(kwargs or {}))
        if func in self.functions:
            self.flops += self.counter.get_total_flops() - before
        return result


def _count(module: nn.Module, inputs: tuple[Tensor, ...], name: str) -> BlockCost:
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    if device.type == "meta":
        device = torch.device("cpu")
        module = copy.deepcopy(module).to_empty(device=device)
    inputs = tuple(torch.zeros_like(tensor, device=device) for tensor in inputs)
    with torch.no_grad(), _quiet("fvcore"):
        analysis = FlopCountAnalysis(module, inputs).set_op_handle(**HANDLES)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        counts = analysis.by_operator()
        uncounted = sorted(analysis.unsupported_ops())
    if uncounted:
        raise NotCounted(
            f"The {name} uses {', '.join(uncounted)}, which no handle counts.",
            "Register a handle, or declare it free, in nas.estimation.fvcore_handles.",
        )
    return BlockCost(params=_params(module), macs=int(sum(counts.values())), attention_macs=int(counts[ATTENTION]))


def _borders(
    denoiser: StagedDenoiser, config: Mapping[str, Any], latent: int, tokens: int
) -> dict[str, tuple[StageInput, StageOutput]]:
    borders: dict[str, tuple[StageInput, StageOutput]] = {}

    def keep(stage: Stage, inputs: StageInput, output: StageOutput) -> None:
        borders[stage.name] = inputs, output

    sample = torch.empty(1, int(config["in_channels"]), latent, latent, device="meta")
    context = torch.empty(1, tokens, int(config["cross_attention_dim"]), device="meta")
    with torch.no_grad():
        denoiser.observed(sample, torch.zeros(1, dtype=torch.long, device="meta"), context, keep)
    return borders


def _part_rows(module: nn.Module, inputs: tuple[Tensor, ...]) -> Iterator[tuple[str, BlockCost, int]]:
    """A row per child of a module that has no attention of its own, from one forward pass."""
    sizes: dict[str, int] = {}
    for name, part in module.named_children():
        part.register_forward_hook(lambda _m, _i, output, name=name: sizes.__setitem__(name, _bytes(output)))
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module(*inputs)
    for name, part in module.named_children():
        flops = sum(counter.get_flop_counts().get(f"{type(module).__name__}.{name}", {}).values())
        yield name, BlockCost(params=_params(part), macs=flops // 2, attention_macs=0), sizes.get(name, 0)


def _autoencoder_rows(config: Mapping[str, Any], latent: int) -> Iterator[tuple[str, BlockCost, int]]:
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
        part = getattr(network, name)
        if part is not None:
            yield name, flops_by_torch(part, (given,)), _bytes(part(given))


def _report(rows: Iterator[tuple[str, BlockCost, int]]) -> dict[str, Any]:
    stages = [
        {"stage": name, **_figures(cost), "output_bytes": size, "weight_bytes": cost.params * BYTES_PER_VALUE}
        for name, cost, size in rows
    ]
    figures = ("params", "gmacs", "gmacs_without_attention_products")
    return {**{figure: sum(stage[figure] for stage in stages) for figure in figures}, "stages": stages}


def _figures(cost: BlockCost) -> dict[str, Any]:
    return {
        "params": cost.params,
        "gmacs": cost.macs / 1e9,
        "gmacs_without_attention_products": (cost.macs - cost.attention_macs) / 1e9,
    }


def _params(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _bytes(*tensors: Tensor) -> int:
    """Bytes of distinct tensors: a surrogate may hand out one state as several skips."""
    return sum(tensor.numel() for tensor in {id(tensor): tensor for tensor in tensors}.values()) * BYTES_PER_VALUE


def _single(inputs: StageInput) -> StageInput:
    return replace(
        inputs,
        hidden=inputs.hidden[:1],
        temb=inputs.temb[:1],
        context=None if inputs.context is None else inputs.context[:1],
        skips=tuple(skip[:1] for skip in inputs.skips),
    )


def _flat(inputs: StageInput) -> tuple[Tensor, ...]:
    return (inputs.hidden, inputs.temb, *(() if inputs.context is None else (inputs.context,)), *inputs.skips)


@contextmanager
def _quiet(logger: str) -> Iterator[None]:
    """Silence a library that reports what is raised as an error anyway."""
    level = logging.getLogger(logger).level
    logging.getLogger(logger).setLevel(logging.ERROR)
    try:
        yield
    finally:
        logging.getLogger(logger).setLevel(level)
