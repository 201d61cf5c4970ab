"""Time isolated blocks, the floor, and whole networks. Latency does not depend on weights: nothing is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas.domain.architecture import TEACHER_VARIANT, Architecture
from nas.domain.device import LatencyMeasurement
from nas.domain.job import MeasureBlock, MeasureNetwork
from nas.domain.teacher import Calibration
from nas.estimation.assemble import stage_named, untrained_block
from nas.estimation.calibration import latent_shape
from nas.estimation.devices import DEVICES
from nas.estimation.devices.base import Subject
from nas.space.stage import Stage, StageBlock, StageInput, StageOutput
from nas.space.teachers.base import StagedDenoiser
from nas.space.teachers.load import LoadedTeacher, condition

TIMESTEP = 500
"""Any: the time embedding costs the same at every timestep."""


class FlatBlock(nn.Module):
    """A stage's block with plain tensors as inputs and outputs, as exporters want them.

    Args:
        block: The block.
        has_context: Whether the third input is the context; all further ones are skips.
        size: `StageInput.size`.
    """

    def __init__(self, block: StageBlock, has_context: bool, size: tuple[int, int] | None) -> None:
        super().__init__()
        self.block, self.has_context, self.size = block, has_context, size

    def forward(self, hidden: Tensor, temb: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """Hidden state and skips of the stage."""
        context, skips = (others[0], others[1:]) if self.has_context else (None, others)
        output: StageOutput = self.block(StageInput(hidden, temb, context, tuple(skips), self.size))
        return output.tensors()


def measure_block(teacher: LoadedTeacher, payload: MeasureBlock) -> LatencyMeasurement:
    """Time one isolated (stage, variant), or the floor when the stage is empty.

    Raises:
        UnknownName: If there is no such device, stage or variant.
        EvaluationError: If the device cannot run it.
    """
    backend = DEVICES.get(payload.device)
    return backend.measure(block_subject(teacher, payload), payload.protocol)


def block_subject(teacher: LoadedTeacher, payload: MeasureBlock) -> Subject:
    """An isolated (stage, variant), or the floor, with inputs as they enter it.

    Raises:
        UnknownName: If there is no such stage or variant.
    """
    inputs = network_inputs(teacher, payload.calibration, payload.protocol.batch)
    if not payload.stage:
        floor = {name: inputs[name] for name in ("sample", "timestep")}
        return Subject(teacher.denoiser.floor().eval(), floor)
    stage = stage_named(teacher.denoiser, payload.stage)
    block = untrained_block(teacher.denoiser, stage, payload.variant)
    border = stage_input(teacher.denoiser, stage, inputs)
    flat = FlatBlock(block, border.context is not None, border.size).eval()
    return Subject(flat, flattened(border), is_part=True)


def measure_network(teacher: LoadedTeacher, payload: MeasureNetwork) -> LatencyMeasurement:
    """Time an assembled network.

    Raises:
        UnknownName: If there is no such device, stage or variant.
        EvaluationError: If the device cannot run it.
    """
    backend = DEVICES.get(payload.device)
    return backend.measure(network_subject(teacher, payload), payload.protocol)


def network_subject(teacher: LoadedTeacher, payload: MeasureNetwork) -> Subject:
    """An assembled network with random weights where the teacher's do not fit, and inputs for it.

    Raises:
        UnknownName: If there is no such stage or variant.
    """
    return architecture_subject(teacher, payload.architecture, payload.calibration, payload.protocol.batch)


def architecture_subject(
    teacher: LoadedTeacher, architecture: Architecture, calibration: Calibration, batch: int
) -> Subject:
    """The same for anybody who has no job.

    Raises:
        UnknownName: If there is no such stage or variant.
    """
    blocks = {
        name: untrained_block(teacher.denoiser, stage_named(teacher.denoiser, name), variant)
        for name, variant in architecture.choices.items()
        if variant != TEACHER_VARIANT
    }
    network = teacher.denoiser.with_blocks(blocks).eval()
    return Subject(network, network_inputs(teacher, calibration, batch))


def network_inputs(teacher: LoadedTeacher, calibration: Calibration, batch: int) -> dict[str, Tensor]:
    """Random inputs of a network at the calibration's shapes: `sample`, `timestep` and perhaps `context`."""
    generator = torch.Generator().manual_seed(0)
    inputs = {
        "sample": torch.randn((batch, *latent_shape(teacher, calibration)), generator=generator),
        "timestep": torch.full((batch,), TIMESTEP),
    }
    context = condition(teacher, calibration.conditioning, batch)
    if context is not None:
        inputs["context"] = context[:1].expand(batch, -1, -1).float().contiguous()
    return inputs


def stage_input(denoiser: StagedDenoiser, wanted: Stage, inputs: dict[str, Tensor]) -> StageInput:
    """What enters a stage of the teacher for some inputs of the network."""
    found: list[StageInput] = []

    def observe(stage: Stage, stage_inputs: StageInput, output: StageOutput) -> None:
        del output
        if stage.name == wanted.name:
            found.append(stage_inputs)

    with torch.no_grad():
        denoiser.observed(inputs["sample"], inputs["timestep"], inputs.get("context"), observe)
    return found[0]


def flattened(border: StageInput) -> dict[str, Tensor]:
    """What enters a stage, as tensors by name, in the order in which `FlatBlock` takes them."""
    named = {"hidden": border.hidden, "temb": border.temb}
    if border.context is not None:
        named["context"] = border.context
    return {**named, **{f"skip{number}": skip for number, skip in enumerate(border.skips)}}
