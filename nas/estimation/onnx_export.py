"""Export to ONNX: for timing (fast, unoptimised) and for delivery (optimised, verified against torch)."""

from __future__ import annotations

import contextlib
import logging
import math
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
LARGEST_FILE = 2_000_000_000
"""Bytes of weights that one ONNX file can hold; protobuf ends at 2 GiB."""
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
    export_graph(network, _random_inputs(latent_shape, context_shape, TIMESTEPS[0]), path, "prediction")
    return verify_export(network, path, latent_shape, context_shape)


def export_graph(network: nn.Module, inputs: dict[str, Tensor], path: Path, output: str) -> None:
    """Write a module with one output as an optimised graph of fixed shapes.

    Args:
        network: Takes the inputs in their order.
        inputs: Examples by name.
        path: Of the ONNX file; weights beyond 2 GiB go to a file beside it.
        output: Name of the output.

    Raises:
        EvaluationError: If it cannot be exported.
    """
    try:
        with _quiet(), torch.no_grad():
            torch.onnx.export(
                network.eval(),
                tuple(inputs.values()),
                str(path),
                dynamo=True,
                optimize=True,
                verbose=False,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=[output],
                external_data=_weight_bytes(network) > LARGEST_FILE,
            )
    except torch.onnx.OnnxExporterError as error:
        raise EvaluationError(f"The network cannot be exported to ONNX: {_first_line(error)}") from error


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


def session(path: Path, threads: int, profile: Path | None = None) -> Any:
    """An onnxruntime session on the CPU.

    Args:
        path: The model.
        threads: For the work inside one operator; operators run one after another.
        profile: Beginning of the name of a file of timings, written when the session's profiling ends.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, str(profile)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def export_for_timing(module: nn.Module, inputs: dict[str, Tensor], path: Path) -> str:
    """Write a module's graph as fast as can be: what is timed is thrown away afterwards.

    Uses torch's older, tracing exporter, which takes a quarter of the time of the one above (2.3 s against 10 s of
    CPU time for the reference teacher), while onnxruntime makes graphs of equal latency of both (12.5 against
    12.7 ms). A latency table takes one export for every (stage, variant).

    Returns:
        Digest of the graph without its weights.

    Raises:
        EvaluationError: If the module cannot be exported.
    """
    try:
        with _quiet(), torch.no_grad():
            torch.onnx.export(
                module, tuple(inputs.values()), str(path), dynamo=False, opset_version=OPSET, input_names=list(inputs)
            )
    except (torch.onnx.OnnxExporterError, RuntimeError) as error:
        raise EvaluationError(f"{type(module).__name__} cannot be exported to ONNX: {_first_line(error)}") from error
    return graph_digest(path)


def graph_digest(path: Path) -> str:
    """Identity of a graph without its weights: operators, wiring, attributes, shapes, small integer constants."""
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    return digest_of(
        {
            "opset": OPSET,
            "inputs": [value.SerializeToString(deterministic=True).hex() for value in graph.input],
            "outputs": [value.name for value in graph.output],
            "weights": [[tensor.name, *_content(tensor)] for tensor in graph.initializer],
            "nodes": [
                [
                    node.domain,
                    node.op_type,
                    list(node.input),
                    list(node.output),
                    {attribute.name: _attribute(attribute) for attribute in node.attribute},
                ]
                for node in graph.node
            ],
        }
    )


def _attribute(attribute: Any) -> Any:
    if attribute.HasField("t"):
        return _content(attribute.t)
    return attribute.SerializeToString(deterministic=True).hex()


def _content(tensor: Any) -> list[Any]:
    """Shape and type; the values only of a small integer constant (a shape, an axis), never of weights."""
    import onnx

    described: list[Any] = [tensor.data_type, list(tensor.dims)]
    integers = (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
    if tensor.data_type in integers and math.prod(tensor.dims) <= SMALL_CONSTANT:
        described.append(onnx.numpy_helper.to_array(tensor).tolist())
    return described


def _weight_bytes(network: nn.Module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


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
