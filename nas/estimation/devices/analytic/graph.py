"""An ONNX graph as an estimate needs it: what remains after constants are folded, with every shape known."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from nas.errors import EvaluationError, NotCounted
from nas.estimation.devices.analytic.operators import OPERATORS

Shape = tuple[int, ...]

LARGEST_VALUE = 4096
"""Elements. Only shapes, axes and indices are computed; they are never larger."""
LARGEST_SCALES = 8
"""Elements of a constant that is no integer and still decides a shape: the scales of a Resize."""
SHAPING = ("Concat", "Unsqueeze", "Slice", "Gather", "Cast", "Identity")
"""What scales are put together with; other arithmetic on numbers that are no integers never ends in a shape."""
DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True)
class Node:
    """One operator that runs at every call.

    Attributes:
        inputs: Names of its inputs, constants among them; an empty name is an input left out.
        attributes: By name, as Python values.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """Operators in order of execution.

    Attributes:
        shapes: Of every tensor, constants included.
        constants: Names of tensors that do not change between calls: weights, and what was folded.
        outputs: Names of the graph's outputs.
    """

    nodes: tuple[Node, ...]
    shapes: dict[str, Shape]
    constants: frozenset[str]
    outputs: tuple[str, ...]

    def elements(self, tensor: str) -> int:
        """Number of elements of a tensor."""
        return math.prod(self.shapes[tensor])

    @cached_property
    def weight_elements(self) -> int:
        """Elements of all constants that some operator reads."""
        return sum(
            self.elements(name)
            for name in {name for node in self.nodes for name in node.inputs if name} & self.constants
        )


def read_graph(path: Path) -> Graph:
    """Read an ONNX file; weights are not loaded.

    Raises:
        EvaluationError: If a shape depends on data or on an input without fixed shape.
        NotCounted: If it has operators that nobody told the cost of; all of them are named.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    return _Reading(model).graph()


class _Reading:
    """One pass over a model: which tensors are constant, then shapes and small integer values."""

    def __init__(self, model: Any) -> None:
        self.nodes, self.outputs = list(model.graph.node), tuple(value.name for value in model.graph.output)
        self.opsets = {one.domain: one.version for one in model.opset_import}
        self.opset_import = list(model.opset_import)
        self.types: dict[str, Any] = {}
        self.values: dict[str, Any] = {}
        for tensor in model.graph.initializer:
            self._enter_constant(tensor.name, tensor)
        self.constants = set(self.types)
        for value in model.graph.input:
            self.types.setdefault(value.name, value.type)

    def graph(self) -> Graph:
        self._find_constants()
        self._refuse_unknown()
        for node in self.nodes:
            self._enter(node)
        remaining = tuple(_node(node) for node in self.nodes if not self._is_folded(node))
        shapes = {name: _shape(name, kind) for name, kind in self.types.items() if _is_tensor(kind)}
        return Graph(remaining, shapes, frozenset(self.constants), self.outputs)

    def _find_constants(self) -> None:
        for node in self.nodes:
            # The shape of a tensor is known beforehand, whatever the tensor holds.
            if node.op_type in ("Constant", "Shape", "Size") or self._is_folded(node):
                self.constants.update(node.output)

    def _is_folded(self, node: Any) -> bool:
        given = [name for name in node.input if name]
        return set(node.output) <= self.constants or (bool(given) and set(given) <= self.constants)

    def _refuse_unknown(self) -> None:
        unknown = {
            f"{node.domain}.{node.op_type}".lstrip(".")
            for node in self.nodes
            if not self._is_folded(node) and (node.op_type not in OPERATORS or node.domain not in DOMAINS)
        }
        if unknown:
            raise NotCounted(
                f"The graph uses {', '.join(sorted(unknown))}, whose cost the analytic model does not know.",
                "Tell it, or declare it free, in nas.estimation.devices.analytic.operators.",
            )

    def _enter(self, node: Any) -> None:
        """Types of a node's outputs, and their values where they are small integers."""
        import onnx

        if node.op_type == "Constant":
            self._enter_attribute(node)
            return
        try:
            schema = onnx.defs.get_schema(node.op_type, self.opsets.get(node.domain, 1), node.domain)
            given = {name: self.types[name] for name in node.input if name}
            known = {name: onnx.numpy_helper.from_array(self.values[name]) for name in given if name in self.values}
            inferred = onnx.shape_inference.infer_node_outputs(
                schema, node, given, input_data=known, opset_imports=self.opset_import
            )
        except (KeyError, RuntimeError, onnx.defs.SchemaError, onnx.shape_inference.InferenceError) as error:
            raise EvaluationError(f"The shapes of {node.name or node.op_type} cannot be inferred: {error}") from None
        self.types.update({name: kind for name, kind in inferred.items() if name in set(node.output)})
        if set(node.output) <= self.constants:
            self._compute(node)
        for name in node.output:
            if name and (name not in self.types or not _is_fixed(self.types[name])):
                raise EvaluationError(
                    f"The shape of {name} depends on data or is not fixed.", "Export the network with fixed shapes."
                )

    def _compute(self, node: Any) -> None:
        """Evaluate what yields integers: shapes are computed in graphs; weights are of no interest."""
        import numpy as np
        from onnx.reference import ReferenceEvaluator

        if node.op_type == "Shape":
            shape = _shape(node.input[0], self.types[node.input[0]])
            bounds = {one.name: one.i for one in node.attribute}
            self.values[node.output[0]] = np.array(shape[bounds.get("start", 0) : bounds.get("end")], dtype=np.int64)
        elif self._matters(node):
            fed = {name: self.values[name] for name in node.input if name}
            for name, value in zip(node.output, ReferenceEvaluator(node).run(None, fed), strict=True):
                self._keep(name, np.asarray(value))
        for name in node.output:
            if name in self.values:
                value = self.values[name]
                self._set_type(name, _element_type(value), value.shape)

    def _matters(self, node: Any) -> bool:
        """Whether a node's value may decide a shape, and can be computed."""
        given = [self.values.get(name) for name in node.input if name]
        if any(value is None for value in given):
            return False
        return node.op_type in SHAPING or all(value.dtype.kind in "iub" for value in given if value is not None)

    def _enter_attribute(self, node: Any) -> None:
        import numpy as np

        (attribute,) = node.attribute
        if attribute.name == "value":
            self._enter_constant(node.output[0], attribute.t)
            return
        value = np.asarray(_python(attribute))
        self._set_type(node.output[0], _element_type(value), value.shape)
        self._keep(node.output[0], value)

    def _enter_constant(self, name: str, tensor: Any) -> None:
        import onnx

        self._set_type(name, tensor.data_type, tensor.dims)
        integers = (onnx.TensorProto.INT64, onnx.TensorProto.INT32, onnx.TensorProto.BOOL)
        largest = {onnx.TensorProto.FLOAT: LARGEST_SCALES, **dict.fromkeys(integers, LARGEST_VALUE)}
        is_small = math.prod(tensor.dims) <= largest.get(tensor.data_type, -1)
        if is_small and not onnx.external_data_helper.uses_external_data(tensor):
            self.values[name] = onnx.numpy_helper.to_array(tensor)

    def _keep(self, name: str, value: Any) -> None:
        largest = LARGEST_VALUE if value.dtype.kind in "iub" else LARGEST_SCALES
        if value.size <= largest:
            self.values[name] = value

    def _set_type(self, name: str, element_type: int, shape: Iterable[int]) -> None:
        import onnx

        self.types[name] = onnx.helper.make_tensor_type_proto(element_type, list(shape))


def _element_type(value: Any) -> int:
    import onnx

    return int(onnx.helper.np_dtype_to_tensor_dtype(value.dtype))


def _node(node: Any) -> Node:
    attributes = {one.name: _python(one) for one in node.attribute}
    name = node.name or (node.output[0] if node.output else node.op_type)
    return Node(name, node.op_type, tuple(node.input), tuple(one for one in node.output if one), attributes)


def _python(attribute: Any) -> Any:
    import onnx

    value = onnx.helper.get_attribute_value(attribute)
    return value.decode() if isinstance(value, bytes) else value


def _is_tensor(kind: Any) -> bool:
    return bool(kind.HasField("tensor_type"))


def _is_fixed(kind: Any) -> bool:
    return (
        _is_tensor(kind)
        and kind.tensor_type.HasField("shape")
        and all(dimension.HasField("dim_value") for dimension in kind.tensor_type.shape.dim)
    )


def _shape(name: str, kind: Any) -> Shape:
    if not _is_fixed(kind):
        raise EvaluationError(f"The shape of {name} is not fixed.", "Export the network with fixed shapes.")
    return tuple(int(dimension.dim_value) for dimension in kind.tensor_type.shape.dim)
