"""One safetensors file per training, replaced atomically: a kill leaves the last complete checkpoint."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

Curve = list[tuple[int, float]]


@dataclass
class TrainingState:
    """Everything that changes while something trains.

    Attributes:
        network: The network being trained.
        average: Exponential moving average of its weights; what is kept in the end.
        optimiser: AdamW over the network's parameters.
        step: Finished steps.
        steps: Steps of the training; fixed when it starts.
        elapsed_s: Seconds spent so far.
        curve: `(step, mean loss since the point before)`.
        window: Losses since the last point of the curve.
    """

    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    step: int
    steps: int
    elapsed_s: float
    curve: Curve = field(default_factory=list)
    window: list[float] = field(default_factory=list)


def save_checkpoint(state: TrainingState, file: Path) -> None:
    """Write the state beside `file`, flush it to the disk, then move it into place."""
    tensors: dict[str, Tensor] = {}
    for prefix, module in (("network", state.network), ("average", state.average)):
        tensors |= {f"{prefix}/{name}": value.contiguous() for name, value in module.state_dict().items()}
    for index, moments in state.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{name}": value.contiguous() for name, value in moments.items()}
    progress = {
        "step": state.step,
        "steps": state.steps,
        "elapsed_s": state.elapsed_s,
        "curve": state.curve,
        "window": state.window,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(f".{os.getpid()}.unfinished")
    try:
        save_file(tensors, unfinished, metadata={"progress": json.dumps(progress)})
        with unfinished.open("rb+") as handle:
            os.fsync(handle.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)  # half a file would keep a full disk full


def is_readable(file: Path) -> bool:
    """Whether there is a checkpoint to go on from; a damaged one is as good as none."""
    try:
        with safe_open(file, framework="pt") as handle:
            return "step" in json.loads((handle.metadata() or {})["progress"])
    except (OSError, SafetensorError, ValueError, KeyError):
        return False


def load_checkpoint(state: TrainingState, file: Path) -> None:
    """Put a saved state into the given objects, which must have been built with the same shapes."""
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "optimiser": {}}
    with safe_open(file, framework="pt") as handle:
        progress = json.loads(handle.metadata()["progress"])
        for key in handle.keys():  # noqa: SIM118  # safe_open is no mapping
            part, _, name = key.partition("/")
            parts[part][name] = handle.get_tensor(key)
    state.network.load_state_dict(parts["network"])
    state.average.load_state_dict(parts["average"])
    parameters = [value for group in state.optimiser.param_groups for value in group["params"]]
    moments: dict[int, dict[str, Any]] = {}
    for key, value in parts["optimiser"].items():
        index, _, name = key.partition("/")
        parameter = parameters[int(index)]
        # The fused kernel walks weights and moments in memory order, so their layouts must agree.
        if value.shape == parameter.shape:
            value = torch.empty_like(parameter).copy_(value)
        moments.setdefault(int(index), {})[name] = value
    state.optimiser.load_state_dict(state.optimiser.state_dict() | {"state": moments})
    state.step, state.steps = progress["step"], progress["steps"]
    state.elapsed_s = progress["elapsed_s"]
    state.curve = [(int(step), float(loss)) for step, loss in progress.get("curve", ())]
    state.window = list(progress.get("window", ()))
