"""Where to train and in which precision: measured choices, each with a fallback that runs everywhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class ComputePlan:
    """Device and precision of a training.

    Attributes:
        device: CUDA where there is one, else the processor.
        half: Whether convolutions of the autoencoder run in bfloat16. True only where it is native.
    """

    device: torch.device
    half: bool

    def autocast(self) -> AbstractContextManager[None]:
        """Run matrix products in bfloat16 where that pays, else do nothing."""
        context: AbstractContextManager[None] = torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)
        return context


def choose_compute() -> ComputePlan:
    """Pick CUDA if present, and bfloat16 if the hardware multiplies it natively (AMX, Ampere and later).

    The denoiser trains in float32 on a processor all the same: at 32 channels, conversions cost more than AMX saves.
    """
    if torch.cuda.is_available():
        return ComputePlan(torch.device("cuda"), bool(torch.cuda.is_bf16_supported(including_emulation=False)))
    native = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return ComputePlan(torch.device("cpu"), bool(native and native()))
