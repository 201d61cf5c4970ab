"""How long a graph takes on a target: per group, the slowest of array, vector unit and memory, and its launch.

    group  = launch + max(array, vector, memory)            where array and vector unit overlap
    group  = launch + max(array + vector, memory)           where they do not
    call   = inference overhead + sum of the groups

`array`: multiply-accumulates, each side of the product rounded up to the array's granularity; a product that fills it
badly (a depthwise convolution) runs on the vector unit where that is faster. `memory`: weights, unless all of them
stay inside together with the largest working set, and the part of a group's tensors that does not fit beside all that
is alive. What the unit cannot run goes to the processor and back; the model never lets that be a gain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.domain.device import Precision
from nas.errors import EvaluationError
from nas.estimation.devices.analytic.fusion import Group, groups_of
from nas.estimation.devices.analytic.graph import Graph, Node
from nas.estimation.devices.analytic.operators import OPERATORS
from nas.estimation.devices.analytic.target import Fallback, Target
from nas.estimation.devices.analytic.work import product, vector_operations

BYTES: dict[Precision, int] = {"fp32": 4, "fp16": 2, "int8": 1}

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Rates:
    """What calibration can change."""

    macs_per_s: float
    vector_ops_per_s: float
    memory_bytes_per_s: float
    launch_s: float
    inference_s: float


@dataclass(frozen=True)
class Plan:
    """A graph as a target runs it: one row per group.

    Attributes:
        groups: What each row stands for.
        array: Occupied multiply-accumulates of the array.
        instead: Vector operations if the array's work ran on the vector unit.
        vector: Vector operations.
        memory: Bytes to and from the memory outside.
        elsewhere_s: Seconds on the processor; 0 where the unit runs it.
        switch_s: Seconds to hand over to the processor and back.
        overlaps: `Target.overlaps`.
    """

    groups: tuple[Group, ...]
    array: Column
    instead: Column
    vector: Column
    memory: Column
    elsewhere_s: Column
    switch_s: Column
    overlaps: bool

    def seconds_by_group(self, rates: Rates) -> Column:
        """Of each group; the overhead of the call is not among them."""
        array, vector = self.array / rates.macs_per_s, self.vector / rates.vector_ops_per_s
        joined = np.maximum(array, vector) if self.overlaps else array + vector
        busy = np.minimum(joined, (self.instead + self.vector) / rates.vector_ops_per_s)
        own = rates.launch_s + np.maximum(busy, self.memory / rates.memory_bytes_per_s)
        whole: Column = np.maximum(own, self.elsewhere_s) + self.switch_s
        return whole

    def seconds(self, rates: Rates, *, is_part: bool = False) -> float:
        """Of a call; of a part of a network without the overhead of the call, which the network's floor bears."""
        return (0.0 if is_part else rates.inference_s) + float(self.seconds_by_group(rates).sum())


def rates_of(target: Target, precision: Precision) -> Rates:
    """The figures of a target at a precision."""
    return Rates(
        target.macs_per_s[precision],
        target.vector_ops_per_s[precision],
        target.memory_bytes_per_s,
        target.launch_us / 1e6,
        target.inference_us / 1e6,
    )


def plan(graph: Graph, target: Target, precision: Precision) -> Plan:
    """Lay a graph out for a target.

    Raises:
        EvaluationError: If the target has no processor to fall back on and cannot run an operator; all are named.
    """
    _refuse_unsupported(graph, target)
    groups = groups_of(
        graph, lambda node: _is_supported(node, target), lambda node: is_free(node, target), fuses=target.fuses
    )
    width = BYTES[precision]
    stays = _weights_stay(graph, groups, target, width)
    rows = [_row(group, graph, target, width, stays) for group in groups]
    columns = np.array(rows, dtype=np.float64).reshape(len(rows), 6).T
    array, instead, vector, memory, elsewhere_s, switch_s = columns
    return Plan(tuple(groups), array, instead, vector, memory, elsewhere_s, switch_s, target.overlaps)


def is_free(node: Node, target: Target) -> bool:
    """Whether an operator is only another view of its first input."""
    kind = OPERATORS[node.operator].kind
    return kind == "free" or (kind == "move" and target.cost(node.operator) == 0.0)


def _is_supported(node: Node, target: Target) -> bool:
    return target.supported is None or node.operator in target.supported


def _refuse_unsupported(graph: Graph, target: Target) -> None:
    lacking = {node.operator for node in graph.nodes if not is_free(node, target) and not _is_supported(node, target)}
    if lacking and target.fallback is None:
        raise EvaluationError(
            f"{target.name} cannot run {', '.join(sorted(lacking))}, and has no processor to fall back on.",
            "Choose blocks without them, or tell the target its fallback rates.",
        )


def _weights_stay(graph: Graph, groups: list[Group], target: Target, width: int) -> bool:
    largest = max((group.live_elements for group in groups), default=0)
    return (graph.weight_elements + largest) * width <= target.sram_bytes


def _row(group: Group, graph: Graph, target: Target, width: int, stays: bool) -> tuple[float, ...]:
    products = [(node, found) for node in group.nodes if (found := product(node, graph)) is not None]
    granules = target.granules
    array = sum(one.padded_macs(granules.positions, granules.reduction, granules.channels) for _, one in products)
    exact = sum(one.macs for _, one in products)
    vector = sum(vector_operations(node, graph, target.cost(node.operator)) for node in group.nodes)
    touched = sum(graph.elements(name) for name in group.reads | group.writes) * width
    spilled = min(touched, max(0, group.live_elements * width - target.sram_bytes))
    weights = sum(graph.elements(name) for name in group.weights) * width
    memory = spilled + (0 if stays else weights)
    elsewhere_s = switch_s = 0.0
    if group.is_fallback and target.fallback is not None:
        elsewhere_s = _seconds_elsewhere(target.fallback, exact, vector, touched + weights)
        # Each hand-over is paid, also between neighbours: one more fall-back must never look like a gain.
        switch_s = 2 * target.fallback.switch_us / 1e6
    return array, exact, vector, memory, elsewhere_s, switch_s


def _seconds_elsewhere(fallback: Fallback, macs: float, vector: float, moved_bytes: float) -> float:
    busy = macs / fallback.macs_per_s + vector / fallback.vector_ops_per_s
    return max(busy, moved_bytes / fallback.memory_bytes_per_s)
