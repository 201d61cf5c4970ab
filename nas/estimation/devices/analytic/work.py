"""What one operator asks for, whoever runs it: multiply-accumulates and their shape, vector operations, tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from nas.errors import EvaluationError
from nas.estimation.devices.analytic.graph import Graph, Node
from nas.estimation.devices.analytic.operators import OPERATORS


@dataclass(frozen=True)
class Product:
    """A batch of matrix products, as the MAC array sees any array operator.

    Attributes:
        batch: Independent products: groups of a convolution, heads of attention.
        positions: Rows of the result: pixels or tokens.
        reduction: Length of the sums.
        channels: Columns of the result.
    """

    batch: int
    positions: int
    reduction: int
    channels: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates that are needed."""
        return self.batch * self.positions * self.reduction * self.channels

    def padded_macs(self, positions: int, reduction: int, channels: int) -> int:
        """Multiply-accumulates for which the array is occupied when each side is rounded up to its granularity."""
        return (
            self.batch
            * _rounded_up(self.positions, positions)
            * _rounded_up(self.reduction, reduction)
            * _rounded_up(self.channels, channels)
        )


def product(node: Node, graph: Graph) -> Product | None:
    """The matrix product of an array operator; None for any other operator."""
    count = _PRODUCTS.get(node.operator)
    return None if count is None else count(node, graph)


def vector_operations(node: Node, graph: Graph, cost: float) -> float:
    """Operations of the vector unit.

    Args:
        node: The operator.
        graph: Where it stands.
        cost: Vector operations per element, as in `Operator.cost`.
    """
    kind = OPERATORS[node.operator].kind
    written = sum(graph.elements(name) for name in node.outputs)
    if kind == "reduction":
        return cost * graph.elements(node.inputs[0])
    if kind == "pooling":
        return cost * written * float(math.prod(node.attributes["kernel_shape"]))
    if kind == "array" and cost:
        return cost * (written + sum(graph.elements(name) for name in node.inputs if name))
    return cost * written


def macs(graph: Graph) -> int:
    """Multiply-accumulates of a graph."""
    return sum(found.macs for node in graph.nodes if (found := product(node, graph)) is not None)


def _convolution(node: Node, graph: Graph) -> Product:
    groups = int(node.attributes.get("group", 1))
    channels, *kernel = graph.shapes[node.inputs[1]]
    batch, _, *pixels = graph.shapes[node.outputs[0]]
    return Product(groups, batch * math.prod(pixels), math.prod(kernel), channels // groups)


def _transposed_convolution(node: Node, graph: Graph) -> Product:
    groups = int(node.attributes.get("group", 1))
    channels, *kernel = graph.shapes[node.inputs[1]]
    batch, _, *pixels = graph.shapes[node.inputs[0]]
    return Product(groups, batch * math.prod(pixels), channels // groups, math.prod(kernel))


def _matrix_product(node: Node, graph: Graph) -> Product:
    left, right = graph.shapes[node.inputs[0]], graph.shapes[node.inputs[1]]
    written = graph.elements(node.outputs[0])
    reduction, channels = left[-1], right[-1] if len(right) > 1 else 1
    # One right-hand side for all: its rows are one long matrix.
    batch = 1 if len(right) <= 2 else math.prod(graph.shapes[node.outputs[0]][:-2])
    return Product(batch, written // (batch * channels), reduction, channels)


def _general_product(node: Node, graph: Graph) -> Product:
    left = graph.shapes[node.inputs[0]]
    positions, channels = graph.shapes[node.outputs[0]]
    return Product(1, positions, left[0] if node.attributes.get("transA") else left[1], channels)


def _summation(node: Node, graph: Graph) -> Product:
    """An Einsum of two operands: letters in both and in the result are the batch, in both alone the reduction."""
    equation = str(node.attributes["equation"]).replace(" ", "")
    given, _, result = equation.partition("->")
    operands = given.split(",")
    if len(operands) != 2 or "." in equation or not result:
        raise EvaluationError(f"The analytic model counts Einsum of two operands, not {equation!r}.")
    sizes = {
        letter: size
        for letters, name in zip(operands, node.inputs, strict=True)
        for letter, size in zip(letters, graph.shapes[name], strict=True)
    }
    left, right, kept = set(operands[0]), set(operands[1]), set(result)

    def extent(letters: set[str]) -> int:
        return math.prod(sizes[letter] for letter in letters)

    return Product(
        extent(left & right & kept),
        extent((left - right) & kept),
        extent((left | right) - kept),
        extent((right - left) & kept),
    )


def _rounded_up(size: int, granularity: int) -> int:
    return -(-size // granularity) * granularity


_PRODUCTS: dict[str, Callable[[Node, Graph], Product]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "MatMul": _matrix_product,
    "Gemm": _general_product,
    "Einsum": _summation,
}
