"""How much memory the activations of a call take at most, without making the call: on the meta device.

Counts every storage that an operator makes, from its making until nothing holds it any more: what PyTorch's eager
execution needs beside the weights. A compiler that plans memory or fuses operators needs less; none needs skip
connections or the largest operator's own input and output less.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]  # untyped in torch
    """Follows storages from the operator that makes them to their end."""

    def __init__(self, *known: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # untyped in torch
        self._known = {tensor.untyped_storage()._cdata for tensor in known}
        self._live: dict[int, int] = {}
        self.now = self.peak = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._note(tensor.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        name = storage._cdata
        if name in self._known or name in self._live:
            return
        self._live[name] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, name)

    def _forget(self, name: int) -> None:
        self.now -= self._live.pop(name, 0)


def activation_peak(module: nn.Module, inputs: tuple[Any, ...]) -> int:
    """Bytes of activations alive at once, at most, during one call; inputs included, weights not.

    Args:
        module: On the meta device.
        inputs: Arguments of its `forward`, on the meta device; structures of tensors are looked into.
    """
    given = [tensor for tensor in _tensors(inputs) if isinstance(tensor, Tensor)]
    weights = [*module.parameters(), *module.buffers()]
    own = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in given}
    live = _LiveBytes(*weights, *given)
    with torch.no_grad(), live:
        module(*inputs)
    return live.peak + sum(own.values())


def _tensors(inputs: tuple[Any, ...]) -> list[Any]:
    leaves: list[Any] = []
    for one in inputs:
        leaves += _tensors(tuple(vars(one).values())) if hasattr(one, "__dataclass_fields__") else tree_leaves(one)
    return leaves
