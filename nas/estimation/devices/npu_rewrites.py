"""The same network in words that an NPU's compiler knows. Changes where operators run, never what they compute."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle


class FlatGroupNorm(nn.Module):
    """Group norm as a mean over the last axis, the only direction in which Arm's NPUs reduce any length.

    Written as torch writes it, the means fall back to the CPU. Equal to torch's within 4e-6.
    """

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.groups, self.eps = norm.num_groups, norm.eps
        self.weight, self.bias = norm.weight, norm.bias

    def forward(self, hidden: Tensor) -> Tensor:
        """`B x C x ...` to the same."""
        flat = hidden.reshape(hidden.shape[0], self.groups, 1, -1)
        centred = flat - flat.mean(-1, keepdim=True)
        variance = (centred * centred).mean(-1, keepdim=True)
        normal = (centred * torch.rsqrt(variance + self.eps)).reshape(hidden.shape)
        if self.weight is None:
            return normal
        shape = (1, -1, *(1 for _ in hidden.shape[2:]))
        return normal * self.weight.reshape(shape) + self.bias.reshape(shape)


class _Waves:
    """What the host computes of the timestep, handed past the modules in between.

    No list, because the exporter refuses modules that keep tensors in one.
    """

    def __init__(self) -> None:
        self.given: tuple[Tensor, ...] = ()


class _FedWaves(nn.Module):
    def __init__(self, waves: _Waves, place: int) -> None:
        super().__init__()
        self.waves, self.place = waves, place

    def forward(self, timesteps: Tensor) -> Tensor:
        del timesteps
        return self.waves.given[self.place]


class _Fed(nn.Module):
    def __init__(self, inner: nn.Module, waves: _Waves, count: int) -> None:
        super().__init__()
        self.inner, self.waves, self.count = inner, waves, count

    def forward(self, *given: Tensor) -> Tensor | tuple[Tensor, ...]:
        self.waves.given = given[self.count :]
        try:
            output: Tensor | tuple[Tensor, ...] = self.inner(*given[: self.count])
        finally:
            self.waves.given = ()
        return output


def rewritten_for_npu(module: nn.Module, inputs: dict[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]]:
    """A copy for an NPU: group norms flat, sines and cosines of the timestep as inputs.

    The host computes the sinusoids once per step, from one number: they are no work for an NPU, which has no sine.

    Args:
        module: Left as it is.
        inputs: By position.

    Returns:
        The copy and its inputs: the given ones, then `waves0`, ... where the module has sinusoids.
    """
    copied = copy.deepcopy(module).eval()
    waves = _Waves()
    given = _replace_sinusoids(copied, inputs, waves)
    for name, child in list(copied.named_modules()):
        if isinstance(child, nn.GroupNorm):
            copied = _replaced(copied, name, FlatGroupNorm(child))
    if not given:
        return copied, inputs
    return _Fed(copied, waves, len(inputs)), {**inputs, **given}


def _replace_sinusoids(module: nn.Module, inputs: dict[str, Tensor], waves: _Waves) -> dict[str, Tensor]:
    """Have every sinusoid read what it gives for these inputs from `waves`; those readings."""
    from diffusers.models.embeddings import Timesteps

    found = [(name, child) for name, child in module.named_modules() if name and isinstance(child, Timesteps)]
    seen: dict[str, Tensor] = {}
    handles: list[RemovableHandle] = []

    def watch(name: str, child: nn.Module) -> None:
        handles.append(child.register_forward_hook(lambda _, __, output: seen.setdefault(name, output)))

    for name, child in found:
        watch(name, child)
    if found:
        with torch.no_grad():
            module(*inputs.values())
    for handle in handles:
        handle.remove()
    for place, name in enumerate(seen):
        module.set_submodule(name, _FedWaves(waves, place))
    return {f"waves{place}": values.clone() for place, values in enumerate(seen.values())}


def _replaced(module: nn.Module, name: str, child: nn.Module) -> nn.Module:
    """The module with a part replaced; the part itself where that is all there is."""
    if not name:
        return child
    module.set_submodule(name, child)
    return module
