from __future__ import annotations

import pytest

from nas.estimation.devices import cpu_price
from nas.estimation.devices.cpu_price import price_ms
from nas.estimation.devices.litert_file import Operand, Operator


def operand(*shape: int, constant: bool = False) -> Operand:
    size = 1
    for length in shape:
        size *= length
    return Operand("x", shape, "INT8", size, constant)


def test_no_operator_is_free() -> None:
    assert price_ms(Operator("RESHAPE", (operand(1),), (operand(1),))) > cpu_price.SWITCH_MS


@pytest.mark.parametrize(
    ("operator", "macs"),
    [
        (Operator("CONV_2D", (operand(1, 8, 8, 4), operand(16, 3, 3, 4)), (operand(1, 8, 8, 16),)), 36_864),
        (Operator("DEPTHWISE_CONV_2D", (operand(1, 8, 8, 4), operand(1, 3, 3, 4)), (operand(1, 8, 8, 4),)), 2_304),
        (Operator("FULLY_CONNECTED", (operand(7, 12), operand(16, 12)), (operand(7, 16),)), 1_344),
        (Operator("BATCH_MATMUL", (operand(2, 7, 12), operand(2, 12, 5)), (operand(2, 7, 5),)), 840),
    ],
)
def test_multiply_adds_are_counted(operator: Operator, macs: int) -> None:
    without = Operator("SOMETHING", operator.inputs, operator.outputs)
    assert price_ms(operator) - price_ms(without) == pytest.approx(macs / cpu_price.MACS_PER_S * 1e3)


def test_a_price_grows_with_the_size() -> None:
    small, large = (Operator("SOFTMAX", (operand(1, n, n),), (operand(1, n, n),)) for n in (64, 128))
    fixed = cpu_price.SWITCH_MS
    assert price_ms(large) - fixed == pytest.approx(4 * (price_ms(small) - fixed))
