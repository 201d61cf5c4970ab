"""Export to ONNX: for timing (fast, unoptimised) and for delivery (optimised, verified against torch)."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas.domain.value import digest_of
from nas.errors import EvaluationError
from nas.space.teachers.base import StagedDenoiser

OPSET = 20
"""Pinned: another opset is another graph with another latency."""
TOLERANCE = 1e-3
TIMESTEPS = (1, 500, 999)
SMALL_CONSTANT = 64
"""Elements. Larger tensors are weights as far as a graph's identity is concerned."""


def export_network(
    network: StagedDenoiser, path: Path, latent_shape: tuple[int, int, int], context_shape: tuple[int, int] | None
) -> float:
    """Write a network as `model.onnx` and check that onnxruntime computes what torch does.

    Inputs `sample` (`1 x C x H x W`), `timestep` (`1`, int64) and, where the network has cross-attention, `context`
    (`1 x L x D`); output `prediction`. Weights beyond 2 GiB go to a file beside it.

    Args:
        network: Any assembled denoiser.
        path: Of the ONNX file.
        latent_shape: `(C, H, W)`.
        context_shape: `(L, D)`, or None without cross-attention.

    Returns:
        Largest difference to torch over the largest magnitude of torch's prediction, on random inputs.

    Raises:
        EvaluationError: If the network cannot be exported, or the difference exceeds 1e-3; the file is removed.
    """
    inputs = _random_inputs(latent_shape, context_shape, TIMESTEPS[0])
    program = export_program(network.eval(), inputs, ("prediction",), optimise=True)
    program.save(path)
    return verify_export(network, path, latent_shape, context_shape)


def verify_export(
    network: StagedDenoiser, path: Path, latent_shape: tuple[int, int, int], context_shape: tuple[int, int] | None
) -> float:
    """Hold an exported network to torch at an early, a middle and a late timestep.

    Returns:
        Largest relative difference.

    Raises:
        EvaluationError: If it exceeds 1e-3; the file is removed.
    """
    worst = max(
        relative_difference(network, path, _random_inputs(latent_shape, context_shape, timestep))
        for timestep in TIMESTEPS
    )
    if not worst <= TOLERANCE:
        path.unlink()
        raise EvaluationError(f"The exported network differs from torch by {worst:.2g} (relative).")
    return worst


def relative_difference(network: nn.Module, path: Path, inputs: dict[str, Tensor]) -> float:
    """Largest difference between onnxruntime's and torch's output, over the largest magnitude of torch's."""
    with torch.inference_mode():
        expected = network(*inputs.values()).numpy()
    (found,) = session(path, 1).run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _random_inputs(
    latent_shape: tuple[int, int, int], context_shape: tuple[int, int] | None, timestep: int
) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(timestep)
    inputs = {
        "sample": torch.randn((1, *latent_shape), generator=generator),
        "timestep": torch.tensor([timestep]),
    }
    if context_shape is not None:
        inputs["context"] = torch.randn((1, *context_shape), generator=generator)
    return inputs


def export_program(
    module: nn.Module, inputs: dict[str, Tensor], outputs: tuple[str, ...] | None = None, optimise: bool = False
) -> torch.onnx.ONNXProgram:
    """A module as an ONNX program with fixed shapes, through `torch.export`.

    Args:
        module: Takes the inputs by position.
        inputs: Example inputs by name.
        outputs: Names of the outputs, or None for the exporter's own.
        optimise: Fold constants and the like here; runtimes do that too when they load a graph.

    Raises:
        EvaluationError: If the module cannot be exported.
    """
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                module,
                tuple(inputs.values()),
                dynamo=True,
                optimize=optimise,
                verbose=False,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs) if outputs else None,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error).strip().splitlines()[0]
        raise EvaluationError(f"{type(module).__name__} cannot be exported to ONNX: {reason}") from error
    assert program is not None
    return program


def session(path: Path, threads: int) -> Any:
    """An onnxruntime session on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def graph_digest(program: torch.onnx.ONNXProgram) -> str:
    """Identity of an exported graph without its weights: operators, wiring, attributes, shapes, small constants."""
    graph = program.model.graph
    return digest_of(
        {
            "opset": OPSET,
            "inputs": [[value.name, str(value.shape), str(value.dtype)] for value in graph.inputs],
            "outputs": [value.name for value in graph.outputs],
            "weights": [
                [name, str(value.shape), str(value.dtype), _content(value.const_value)]
                for name, value in graph.initializers.items()
            ],
            "nodes": [
                [
                    node.domain,
                    node.op_type,
                    [value.name if value is not None else "" for value in node.inputs],
                    [value.name for value in node.outputs],
                    {name: _attribute(attribute.value) for name, attribute in node.attributes.items()},
                ]
                for node in graph
            ],
        }
    )


def _attribute(value: Any) -> str:
    return _content(value) if hasattr(value, "numpy") else repr(value)


def _content(tensor: Any) -> str:
    """Digest of a small integer constant (a shape, an axis); weights are known by shape alone."""
    if tensor is None:
        return ""
    array = tensor.numpy()
    if array.size > SMALL_CONSTANT or not np.issubdtype(array.dtype, np.integer):
        return f"{array.dtype}{array.shape}"
    return hashlib.sha256(array.tobytes()).hexdigest()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter reports, at every call, operators of packages that are not installed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
