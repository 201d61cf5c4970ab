"""Exact params and multiply-accumulates of blocks and networks, by two independent counters.

Library entries are counted by fvcore on real tensors, block by block, so that no operator can hide.
Whole networks are counted by torch's `FlopCounterMode` on the meta device, which allocates nothing
(`nas.estimation.cost_report`). Tests hold the two to each other and to published figures.

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
from nas.errors import NotCounted
from nas.estimation.fvcore_handles import ATTENTION, HANDLES
from nas.space.stage import Stage, StageBlock, StageInput, StageOutput
from nas.space.teachers.base import StagedDenoiser


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
    macs, attention_macs = counter.get_total_flops() // 2, products.flops // 2
    return BlockCost(params=params_of(module), macs=macs, attention_macs=attention_macs)


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
    return {name: inputs for name, (inputs, _) in stage_borders(denoiser, config, latent, tokens).items()}


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
    return BlockCost(params=params_of(module), macs=int(sum(counts.values())), attention_macs=int(counts[ATTENTION]))


def stage_borders(
    denoiser: StagedDenoiser, config: Mapping[str, Any], latent: int, tokens: int
) -> dict[str, tuple[StageInput, StageOutput]]:
    """Input and output of every stage on the meta device, batch 1; arguments as for `stage_inputs`."""
    borders: dict[str, tuple[StageInput, StageOutput]] = {}

    def keep(stage: Stage, inputs: StageInput, output: StageOutput) -> None:
        borders[stage.name] = inputs, output

    sample = torch.empty(1, int(config["in_channels"]), latent, latent, device="meta")
    context = torch.empty(1, tokens, int(config["cross_attention_dim"]), device="meta")
    with torch.no_grad():
        denoiser.observed(sample, torch.zeros(1, dtype=torch.long, device="meta"), context, keep)
    return borders


def params_of(module: nn.Module) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


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
