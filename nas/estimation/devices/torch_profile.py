"""Where PyTorch spends its time: its profiler's events, attributed to the modules that caused them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nas.domain.device import LatencyProtocol, LayerLatency
from nas.estimation.devices.timed import Run

if TYPE_CHECKING:
    from torch import nn

MARK = "module:"
"""Begins the name of a range that stands for a module."""


@contextlib.contextmanager
def module_ranges(module: nn.Module) -> Iterator[None]:
    """Have every call of a submodule leave a range with its path in the profiler's record."""
    import torch

    opened: list[Any] = []
    hooks = []
    for path, part in _scopes(module, ""):

        def enter(_part: nn.Module, _inputs: object, path: str = path) -> None:
            opened.append(torch.profiler.record_function(f"{MARK}{path}"))
            opened[-1].__enter__()

        def leave(_part: nn.Module, _inputs: object, _output: object) -> None:
            opened.pop().__exit__(None, None, None)

        hooks += [part.register_forward_pre_hook(enter), part.register_forward_hook(leave)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _scopes(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    """Every submodule that can be called, and its path in the ONNX exporter's manner: containers are no scopes."""
    from torch import nn

    if not isinstance(module, nn.ModuleList | nn.ModuleDict):
        yield path, module
    for name, part in module.named_children():
        if isinstance(part, nn.ModuleDict):
            yield from _scopes(part, path)
        else:
            yield from _scopes(part, f"{path}.{name}" if isinstance(module, nn.ModuleList) else f"{path}/{name}")


def profiled(run: Run, protocol: LatencyProtocol, unit: str) -> tuple[LayerLatency, ...]:
    """Mean time of every operator over the protocol's repeats, in order of execution.

    Names look like those of the ONNX exporter (`/D1/units.0/conv1/conv2d`), so that both tell stages in one way.

    Args:
        run: What is profiled.
        protocol: How often.
        unit: What computes it. For `GPU` the time is that of the kernels an operator launched, else its own.
    """
    from torch.profiler import ProfilerActivity, profile

    for _ in range(max(1, protocol.warmup)):
        run()
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if unit == "GPU" else [])
    with profile(activities=activities, acc_events=True) as record:
        for _ in range(protocol.repeats):
            run()
    taken: dict[tuple[str, str], float] = {}
    for event in sorted(record.events(), key=lambda event: event.time_range.start):
        if _is_outermost(event):
            place = _path(event), re.sub(r"^graph_\d+_", "", event.name)  # the compiler counts its graphs
            microseconds = event.device_time_total if unit == "GPU" else event.cpu_time_total
            taken[place] = taken.get(place, 0.0) + microseconds
    return tuple(
        LayerLatency(
            name=f"{path}/{name.rpartition('::')[2]}",
            operator=name.rpartition("::")[2],
            ms=microseconds / 1e3 / protocol.repeats,
            unit=unit,
        )
        for (path, name), microseconds in taken.items()
        if unit != "GPU" or microseconds > 0
    )


def _is_outermost(event: Any) -> bool:
    """Whether an event is an operator that a module called itself, rather than one inside another operator."""
    return _is_operator(event) and not any(_is_operator(parent) for parent in _above(event))


def _is_operator(event: Any) -> bool:
    """Whether it computes: an operator (`aten::linear`) or a generated kernel. The rest are frames around these."""
    return "::" in event.name or "_fused_" in event.name


def _path(event: Any) -> str:
    """Path of the innermost module around an event; empty outside of all."""
    ranges = (parent.name for parent in _above(event) if parent.name.startswith(MARK))
    return next(ranges, MARK).removeprefix(MARK)


def _above(event: Any) -> Iterator[Any]:
    while (event := event.cpu_parent) is not None:
        yield event
