"""PyTorch to LiteRT (`.tflite`) files, in fp32 and int8, and what such a file holds.

The file feeds two devices: LiteRT itself and the compiler of Arm's NPUs. Conversion runs inside this process and
cannot be interrupted: in everything that was tried it ended or raised; what it took is held to the protocol's
time-out afterwards.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nas.domain.value import digest_of
from nas.errors import EvaluationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

SIGNATURE = "serving_default"
REMEDY = "in a checkout, uv pip install -e '.[{extra}]' (pip refuses what litert-torch pins)"
"""uv reads in pyproject.toml which of the pins does not matter."""
SMALL_CONSTANT = 64
"""Elements. Larger constants are weights as far as a graph's identity is concerned."""
INTEGERS = ("INT32", "INT64")


@dataclass(frozen=True)
class Operand:
    """A tensor of a file: its name, its shape, its type in LiteRT's words, and how many bytes it takes."""

    name: str
    shape: tuple[int, ...]
    kind: str
    size_bytes: int
    is_constant: bool


@dataclass(frozen=True)
class Operator:
    """An operator of a file. For one that the format does not know itself, `kind` is its own name."""

    kind: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]


def converted(module: nn.Module, inputs: dict[str, Tensor], timeout_s: float) -> bytes:
    """An fp32 LiteRT file of a module.

    Raises:
        EvaluationError: If it cannot be converted, or not in time.
    """
    import torch

    os.environ.setdefault("LITERT_TORCH_SHOW_PROGRESS", "n")  # the converter reads it at every step
    began = time.monotonic()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import litert_torch

        try:
            content = litert_torch.convert(module.eval(), tuple(inputs.values())).model_content()
        # The exporter, its decompositions and the lowering each raise what they like.
        except Exception as error:
            reason = (str(error).strip().splitlines() or [""])[0]
            raise EvaluationError(
                f"{type(module).__name__} cannot be converted to LiteRT: {type(error).__name__}: {reason}"
            ) from error
    if (took := time.monotonic() - began) > timeout_s:
        raise EvaluationError(
            f"Conversion took {took:.0f} s, longer than {timeout_s:g} s.", "Ask for a longer timeout_s."
        )
    return bytes(content)


def quantised(content: bytes, inputs: dict[str, Tensor]) -> bytes:
    """The file with 8-bit weights and activations, ranges taken from the example inputs.

    Raises:
        EvaluationError: If it cannot be quantised.
    """
    from ai_edge_quantizer import quantizer, recipe

    rewriter = quantizer.Quantizer(content, recipe.static_wi8_ai8())
    try:
        with _silence():
            ranges = rewriter.calibrate({SIGNATURE: [example_feed(content, inputs)]})
            return bytes(rewriter.quantize(ranges).quantized_model)
    except (RuntimeError, ValueError, KeyError) as error:
        raise EvaluationError(f"The network cannot be quantised: {error}") from error


def example_feed(content: bytes, inputs: dict[str, Tensor]) -> dict[str, NDArray[np.generic]]:
    """The example inputs by the file's own names (`args_0`, ...) and in its types, 8-bit inputs scaled."""
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(model_content=content).get_signature_runner(SIGNATURE).get_input_details()
    given = list(inputs.values())
    return {
        name: _in_its_type(given[int(name.rpartition("_")[2])].contiguous().numpy(), detail)
        for name, detail in details.items()
    }


def operators(content: bytes) -> Iterator[Operator]:
    """What a file computes, in order."""
    graph, model = _main_graph(content)
    names = _names("BuiltinOperator")
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = code.customCode.decode() if code.customCode else names[code.builtinCode]
        sides = (
            tuple(_operand(model, graph.tensors[place]) for place in side if place >= 0)
            for side in (operator.inputs, operator.outputs)
        )
        yield Operator(kind, *sides)


def graph_digest(content: bytes) -> str:
    """Identity of a graph without its weights: operators, options, shapes, wiring, small integer constants."""
    graph, model = _main_graph(content)
    names = _names("BuiltinOperator")
    places: dict[int, Any] = {tensor: ["input", place] for place, tensor in enumerate(graph.inputs)}
    described = []
    for number, operator in enumerate(graph.operators):
        options = vars(operator.builtinOptions) if operator.builtinOptions else {}
        sources = [_source(model, graph, places, tensor) for tensor in operator.inputs]
        shapes = [_described(graph.tensors[tensor]) for tensor in operator.outputs]
        kind = names[model.operatorCodes[operator.opcodeIndex].builtinCode]
        described.append([kind, {key: str(value) for key, value in options.items()}, sources, shapes])
        places.update({tensor: [number, output] for output, tensor in enumerate(operator.outputs)})
    inputs = [_described(graph.tensors[tensor]) for tensor in graph.inputs]
    return digest_of({"inputs": inputs, "operators": described})


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The quantiser prints a summary, and bars of its progress."""
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _in_its_type(values: NDArray[np.generic], detail: dict[str, Any]) -> NDArray[np.generic]:
    import numpy as np

    scale, zero = detail["quantization"]
    if not scale:
        plain: NDArray[np.generic] = values.astype(detail["dtype"])
        return plain
    bounds = np.iinfo(detail["dtype"])
    scaled = np.rint(values.astype(np.float32) / scale) + zero
    clipped: NDArray[np.generic] = np.clip(scaled, bounds.min, bounds.max).astype(detail["dtype"])
    return clipped


def _main_graph(content: bytes) -> tuple[Any, Any]:
    from ai_edge_litert.schema_py_generated import Model, ModelT

    model = ModelT.InitFromObj(Model.GetRootAs(content, 0))
    return model.subgraphs[0], model


def _source(model: Any, graph: Any, places: dict[int, Any], tensor: int) -> Any:
    """Where an input comes from: an operator, the outside, or a constant, told by its looks and not by its place."""
    if tensor in places or tensor < 0:
        return places.get(tensor)
    constant = graph.tensors[tensor]
    data, shape = model.buffers[constant.buffer].data, _shape(constant)
    is_small = _kind(constant) in INTEGERS and math.prod(shape) <= SMALL_CONSTANT and data is not None
    return [*_described(constant), bytes(bytearray(data)).hex() if is_small else None]


def _operand(model: Any, tensor: Any) -> Operand:
    import numpy as np

    shape, kind = _shape(tensor), _kind(tensor)
    width = np.dtype(kind.lower()).itemsize if kind not in ("STRING", "RESOURCE", "VARIANT", "INT4") else 1
    data = model.buffers[tensor.buffer].data
    is_constant = data is not None and len(data) > 0
    return Operand((tensor.name or b"").decode(), shape, kind, math.prod(shape) * width, is_constant)


def _described(tensor: Any) -> list[Any]:
    return [list(_shape(tensor)), _kind(tensor)]


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in tensor.shape) if tensor.shape is not None else ()


def _kind(tensor: Any) -> str:
    return _names("TensorType")[tensor.type]


def _names(enumeration: str) -> dict[int, str]:
    from ai_edge_litert import schema_py_generated

    listed = vars(getattr(schema_py_generated, enumeration))
    return {value: name for name, value in listed.items() if isinstance(value, int)}
