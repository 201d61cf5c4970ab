"""Which tensors cross the borders of a teacher's stages, and how much disk they take."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nas.estimation.calibration import NoisyLatents
from nas.estimation.feature_files import file_bytes
from nas.estimation.features import CONTEXT, LATENTS, TIMESTEPS, StageTensors, StoredType
from nas.space.stage import Stage, StageInput, StageOutput
from nas.space.teachers.base import StagedDenoiser, StageObserver


@dataclass(frozen=True)
class Layout:
    """Which distinct tensors a teacher's stages exchange, found by one forward pass of one sample.

    Attributes:
        stages: File names per stage, in order of execution.
        shapes: Shape of one row per file name.
    """

    stages: dict[str, StageTensors]
    shapes: dict[str, tuple[int, ...]]

    @classmethod
    def of(cls, denoiser: StagedDenoiser, latents: NoisyLatents) -> Layout:
        """Observe one sample and name what crosses the borders; the same tensor gets one name.

        The hidden state that leaves a stage is the one that enters the next, an encoder's skips are its mirror's,
        and all stages share the time embedding: storing each once saves half of the disk.
        """
        names: dict[tuple[int, torch.Size, tuple[int, ...]], str] = {}
        shapes: dict[str, tuple[int, ...]] = {}
        stages: dict[str, StageTensors] = {}
        alive: list[Tensor] = []  # so that no address is used twice

        def name(tensor: Tensor, proposed: str) -> str:
            identity = (tensor.data_ptr(), tensor.shape, tensor.stride())
            if identity not in names:
                names[identity] = proposed
                shapes[proposed] = tuple(tensor.shape[1:])
                alive.append(tensor)
            return names[identity]

        def observe(stage: Stage, inputs: StageInput, output: StageOutput) -> None:
            stages[stage.name] = StageTensors(
                hidden=name(inputs.hidden, f"{stage.name}.input"),
                temb=name(inputs.temb, "temb"),
                skips=tuple(name(skip, f"{stage.name}.input_skip{i}") for i, skip in enumerate(inputs.skips)),
                size=inputs.size,
                outputs=(
                    name(output.hidden, f"{stage.name}.output"),
                    *(name(skip, f"{stage.name}.skip{i}") for i, skip in enumerate(output.skips)),
                ),
            )

        run_observed(denoiser, latents, range(1), observe)
        return cls(stages, shapes)

    def planned(self, latents: NoisyLatents) -> dict[str, tuple[tuple[int, ...], StoredType]]:
        """Shape and storage type of every file. What is tiny and exact stays exact."""
        count = len(latents.timestep)
        plan: dict[str, tuple[tuple[int, ...], StoredType]] = {
            LATENTS: (tuple(latents.sample.shape), "float32"),
            TIMESTEPS: ((count,), "int64"),
        }
        if latents.context is not None:
            plan[CONTEXT] = (tuple(latents.context.shape), "float32")
        for name, shape in self.shapes.items():
            plan[name] = ((count, *shape), "float32" if name == "temb" else "float16")
        return plan

    def planned_bytes(self, latents: NoisyLatents) -> int:
        """Bytes that a capture will take on disk."""
        return sum(file_bytes(shape, dtype) for shape, dtype in self.planned(latents).values())


def run_observed(denoiser: StagedDenoiser, latents: NoisyLatents, rows: range, observe: StageObserver) -> Tensor:
    """Predict some rows with every stage observed, on the device where the denoiser lives."""
    device = device_of(denoiser)
    context = latents.context
    if context is not None:
        context = context[rows.start : rows.stop] if len(context) > 1 else context.expand(len(rows), -1, -1)
        context = context.to(device)
    sample = latents.sample[rows.start : rows.stop].to(device)
    timestep = latents.timestep[rows.start : rows.stop].to(device)
    with torch.inference_mode():
        return denoiser.observed(sample, timestep, context, observe)


def device_of(module: torch.nn.Module) -> torch.device:
    """Where a module's parameters live; the CPU for a module without any."""
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
