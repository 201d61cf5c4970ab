"""Checkpoints of unfinished trainings: one safetensors file, replaced atomically, harmless to lose."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from nas.estimation.block_training import BlockTraining, TrainingProgress

WEIGHTS, MOMENTS = "weights.", "moments."


def save_checkpoint(path: Path, training: BlockTraining) -> None:
    """Write weights, optimiser moments and progress."""
    tensors = {WEIGHTS + name: tensor.detach().cpu() for name, tensor in training.block.state_dict().items()}
    for number, moments in training.optimiser.state_dict()["state"].items():
        tensors |= {f"{MOMENTS}{number}.{name}": tensor.cpu() for name, tensor in moments.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    try:
        save_file(contiguous, partial, metadata={"progress": training.progress.model_dump_json()})
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)  # half a file would keep a full disk full


def load_progress(path: Path) -> TrainingProgress | None:
    """Progress in a checkpoint; None if there is none or it cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            return TrainingProgress.model_validate_json((file.metadata() or {})["progress"])
    except (OSError, SafetensorError, ValidationError, KeyError):
        return None


def load_tensors(path: Path, training: BlockTraining) -> None:
    """Put a checkpoint's weights and moments into a training that was made with its progress."""
    tensors = load_file(path)
    weights = {name.removeprefix(WEIGHTS): tensor for name, tensor in tensors.items() if name.startswith(WEIGHTS)}
    training.block.load_state_dict(weights)
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(MOMENTS):
            number, _, moment = name.removeprefix(MOMENTS).partition(".")
            moments.setdefault(int(number), {})[moment] = tensor
    groups = training.optimiser.state_dict()["param_groups"]
    training.optimiser.load_state_dict({"state": moments, "param_groups": groups})
