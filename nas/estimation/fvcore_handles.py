"""What fvcore needs to be told: attention's products, and which operators are free on purpose.

The convention is the field's: one fused multiply-add of a convolution, a linear layer or a matrix
product is one multiply-accumulate; normalisations, activations, additions, pooling and resampling are
free. Whatever is neither counted nor listed here is an error, never a silent zero.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from fvcore.nn.jit_handles import get_shape

ATTENTION = "attention products"
"""Key under which attention's products are summed, apart from everything else."""

Handle = Callable[[list[Any], list[Any]], "Counter[str]"]

FREE = frozenset(
    f"aten::{operator}"
    for operator in (
        # activations and normalisations
        *("silu", "silu_", "gelu", "elu", "relu", "sigmoid", "softmax", "exp"),
        *("group_norm", "layer_norm", "native_group_norm", "native_layer_norm"),
        # element by element
        *(
            "add",
            "add_",
            "sub",
            "mul",
            "mul_",
            "div",
            "div_",
            "rsub",
            "neg",
            "sin",
            "cos",
            "sum",
            "mean",
            "clamp_min",
        ),
        # pooling and resampling
        *("avg_pool2d", "upsample_nearest2d", "constant_pad_nd", "pad"),
        # moving and making tensors
        *("clone", "alias", "unflatten", "ones_like", "zeros_like", "expand_as", "repeat", "movedim", "swapaxes"),
        *("lift_fresh", "detach_", "concat", "chunk", "arange", "pow", "ceil", "detach", "numel"),
    )
)
"""Operators that cost no multiply-accumulate in the published convention."""


def attention_products(inputs: list[Any], _outputs: list[Any]) -> Counter[str]:
    """QK^T and AV of `scaled_dot_product_attention`: `B * H * Lq * Lk * (d + dv)`."""
    query, key, value = (get_shape(tensor) for tensor in inputs[:3])
    heads = math.prod(query[:-2])
    return Counter({ATTENTION: heads * query[-2] * key[-2] * (query[-1] + value[-1])})


def einsum_products(inputs: list[Any], _outputs: list[Any]) -> Counter[str]:
    """Product of two tensors by `einsum`, which blocks here use for linear attention and nothing else."""
    equation: str = inputs[0].toIValue()
    return Counter({ATTENTION: einsum_macs(equation, [get_shape(node) for node in inputs[1].node().inputs()])})


def einsum_macs(equation: str, shapes: Sequence[Sequence[int]]) -> int:
    """Multiply-accumulates of a two-operand `einsum`: the product of the sizes of all its letters."""
    terms = re.sub(r"\s", "", equation).split("->")[0].split(",")
    if len(terms) != 2:
        raise ValueError(f"einsum {equation!r} has {len(terms)} operands; its cost depends on their order")
    sizes = {
        letter: size
        for term, shape in zip(terms, shapes, strict=True)
        for letter, size in zip(term, shape, strict=True)
    }
    return math.prod(sizes.values())


def free(_inputs: list[Any], _outputs: list[Any]) -> Counter[str]:
    """Nothing. Said by a handle, because fvcore prices normalisation and pooling unless overruled."""
    return Counter()


HANDLES: dict[str, Handle] = {
    **dict.fromkeys(FREE, free),
    "aten::scaled_dot_product_attention": attention_products,
    "aten::einsum": einsum_products,
}
