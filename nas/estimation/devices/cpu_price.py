"""What an operator costs that an NPU hands back to the processor beside it.

An assumption, not a measurement, and low on purpose: compilers count such operators as free, and a search would
collect them. A processor's own kernels are usually faster than this, so a network with fall-backs is told slower
than it is, never faster; their number stands beside every latency.
"""

from __future__ import annotations

import math

from nas.estimation.devices.litert_file import Operand, Operator

SWITCH_MS = 0.1
"""For the interrupt, the caches that must be written back, and starting the NPU again."""
MACS_PER_S = 1e9
"""One multiply-add per cycle at 1 GHz."""
ELEMENTS_PER_S = 1e8
"""Ten cycles for each element of an operator without multiply-adds (an exponential takes as many or more)."""
BYTES_PER_S = 1e9
"""Of memory traffic, beside the NPU's own."""

CONVOLUTIONS = ("CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_3D_TRANSPOSE")
PRODUCTS = ("FULLY_CONNECTED", "BATCH_MATMUL")


def price_ms(operator: Operator) -> float:
    """Milliseconds of one call: the switch, and the memory traffic and the arithmetic one after the other."""
    traffic = sum(operand.size_bytes for operand in (*operator.inputs, *operator.outputs))
    elements = max((_elements(operand) for operand in (*operator.inputs, *operator.outputs)), default=0)
    arithmetic = elements / ELEMENTS_PER_S + _macs(operator) / MACS_PER_S
    return SWITCH_MS + (traffic / BYTES_PER_S + arithmetic) * 1e3


def _macs(operator: Operator) -> int:
    if operator.kind in CONVOLUTIONS:
        kernel = operator.inputs[1].shape[1:]
        kernel = kernel[:-1] if operator.kind == "DEPTHWISE_CONV_2D" else kernel
        return _elements(operator.outputs[0]) * math.prod(kernel)
    if operator.kind in PRODUCTS:
        return _elements(operator.inputs[0]) * operator.outputs[0].shape[-1]
    return 0


def _elements(operand: Operand) -> int:
    return math.prod(operand.shape)


def described() -> str:
    """The assumption in words, for a device's label."""
    rates = f"{MACS_PER_S:g} MAC/s, {ELEMENTS_PER_S:g} elements/s, {BYTES_PER_S:g} B/s"
    return f"assumed {SWITCH_MS:g} ms each, {rates}"
