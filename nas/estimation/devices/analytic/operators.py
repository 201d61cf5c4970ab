"""What every known operator is to the model: work of the MAC array, of the vector unit, movement, or nothing.

An operator that is not listed is refused, never counted as zero. Costs are operations of the vector unit per element;
transcendental functions are polynomials there. They are rules of thumb, the same for all targets unless a target has
its own (`Target.vector_costs`), and calibration scales them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["array", "elementwise", "reduction", "pooling", "move", "free"]


@dataclass(frozen=True)
class Operator:
    """How an operator is counted.

    Attributes:
        kind: `array`: multiply-accumulates. `elementwise`: each output element depends on the elements of the same
            place; can be computed while its producer writes. `reduction`: whole rows are seen before the first
            element is written. `pooling`: a window per output element. `move`: data only changes places.
            `free`: nothing happens, only the shape is read differently.
        cost: Vector operations per element: of the output; of the input for reductions; per element of the window
            for pooling; of input and output for array operators, whose products are counted apart.
    """

    kind: Kind
    cost: float


def _all(kind: Kind, cost: float, *names: str) -> dict[str, Operator]:
    return dict.fromkeys(names, Operator(kind, cost))


OPERATORS: dict[str, Operator] = {
    **_all("array", 0.0, "Conv", "ConvTranspose", "MatMul", "Gemm"),
    **_all("array", 1.0, "Einsum"),  # its operands and its result are transposed to and from plain products
    **_all("elementwise", 1.0, "Add", "Sub", "Mul", "Max", "Min", "Neg", "Abs", "Relu", "Clip", "LeakyRelu", "PRelu"),
    **_all(
        "elementwise", 1.0, "Where", "Equal", "Greater", "Less", "Not", "And", "Or", "Cast", "Floor", "Ceil", "Round"
    ),
    **_all("elementwise", 2.0, "HardSigmoid", "HardSwish", "QuantizeLinear", "DequantizeLinear"),
    **_all("elementwise", 4.0, "Div", "Sqrt", "Reciprocal"),
    **_all("elementwise", 8.0, "Exp", "Log", "Sigmoid", "Tanh", "Erf", "Elu", "Sin", "Cos", "Pow", "Softplus"),
    **_all("elementwise", 12.0, "Gelu", "Mish"),
    **_all("reduction", 1.0, "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "GlobalAveragePool"),
    **_all("reduction", 2.0, "ReduceL2", "ReduceSumSquare"),
    **_all("reduction", 6.0, "LayerNormalization", "InstanceNormalization", "GroupNormalization"),
    **_all("reduction", 4.0, "RMSNormalization", "LpNormalization"),
    **_all("elementwise", 2.0, "BatchNormalization"),
    **_all("reduction", 12.0, "Softmax", "LogSoftmax"),
    **_all("pooling", 1.0, "AveragePool", "MaxPool"),
    **_all("move", 1.0, "Transpose", "Concat", "Slice", "Split", "Gather", "Expand", "Tile", "Pad"),
    **_all("move", 1.0, "DepthToSpace", "SpaceToDepth"),
    **_all("move", 2.0, "Resize", "Upsample"),
    **_all("free", 0.0, "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"),
}
