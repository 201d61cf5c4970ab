"""A finished ONNX file as something to be measured, with example inputs made from what the graph declares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from nas.errors import Fault, NotFound, SpecError
from nas.estimation.devices.base import Subject

_INTEGERS = {"int64": torch.int64, "int32": torch.int32}
_FLOATS = {"float32": torch.float32, "float16": torch.float16, "float64": torch.float64}


def file_subject(path: Path, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Subject:
    """An ONNX file to be measured.

    Inputs are random where they are real numbers, and ones where they are whole ones (a timestep).

    Args:
        path: The file. Nothing in it is executed when it is read.
        shapes: Shapes of inputs that the file leaves open, by name.

    Raises:
        NotFound: If there is no such file.
        SpecError: If it is no ONNX file, or inputs are left open; every one is named.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    try:
        graph = onnx.load(path, load_external_data=False).graph
    except DecodeError:
        graph = onnx.GraphProto()
    if not graph.node:
        raise SpecError((Fault(str(path), "is no ONNX file"),))
    weights = {tensor.name for tensor in graph.initializer}
    declared = {value.name: value.type.tensor_type for value in graph.input if value.name not in weights}
    found = {name: _shape(kind, (shapes or {}).get(name)) for name, kind in declared.items()}
    unknown = sorted(set(shapes or {}) - set(declared))
    faults = [Fault(name, "is no input of the file", ", ".join(declared)) for name in unknown]
    faults += [
        Fault(name, "leaves its shape open; give one", f"--shape {name}={_nearest(declared[name])}")
        for name, shape in found.items()
        if shape is None
    ]
    if faults:
        raise SpecError(tuple(faults))
    generator = torch.Generator().manual_seed(0)
    inputs = {name: _example(name, declared[name], shape or (), generator) for name, shape in found.items()}
    return Subject(None, inputs, path)


def _shape(kind: Any, given: tuple[int, ...] | None) -> tuple[int, ...] | None:
    if given is not None:
        return given
    sizes = tuple(int(one.dim_value) for one in kind.shape.dim)
    return sizes if all(sizes) else None


def _nearest(kind: Any) -> str:
    return ",".join(str(one.dim_value or 1) for one in kind.shape.dim)


def _example(name: str, kind: Any, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    import onnx

    dtype = str(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    if dtype in _INTEGERS:
        return torch.ones(shape, dtype=_INTEGERS[dtype])
    if dtype in _FLOATS:
        return torch.randn(shape, generator=generator).to(_FLOATS[dtype])
    raise SpecError((Fault(name, f"is of {dtype}, for which no example can be made", ", ".join(_FLOATS)),))
