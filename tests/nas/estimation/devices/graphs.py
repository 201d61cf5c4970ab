"""Small ONNX graphs, and a target of round figures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from nas.domain.device import LatencyProtocol
from nas.domain.value import FrozenDict
from nas.estimation.devices.analytic import Target
from nas.estimation.devices.analytic.graph import Graph
from nas.estimation.devices.analytic.roofline import plan, rates_of
from nas.estimation.devices.analytic.target import Fallback

PROTOCOL = LatencyProtocol()
PLAIN = Target(
    name="plain",
    meaning="Round figures.",
    soc="paper",
    macs_per_s=FrozenDict({"fp32": 1e9, "int8": 4e9}),
    vector_ops_per_s=FrozenDict({"fp32": 1e8, "int8": 1e8}),
    memory_bytes_per_s=1e9,
    sram_bytes=2**30,
    launch_us=10.0,
    inference_us=100.0,
    relative_uncertainty=0.3,
    sources=FrozenDict({"macs_per_s": "made up"}),
)
PROCESSOR = Fallback(macs_per_s=1e12, vector_ops_per_s=1e12, memory_bytes_per_s=1e12, switch_us=50.0)


def model(folder: Path, nodes: list[Any], inputs: dict[str, list[Any]], weights: dict[str, list[int]]) -> Path:
    """An ONNX file whose last node's output is its own."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
        [
            helper.make_tensor(name, TensorProto.FLOAT, shape, np.zeros(math.prod(shape), np.float32))
            for name, shape in weights.items()
        ],
    )
    path = folder / "graph.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), path)
    return path


def milliseconds(graph: Graph, target: Target, precision: Any = "fp32") -> float:
    return plan(graph, target, precision).seconds(rates_of(target, precision)) * 1e3
