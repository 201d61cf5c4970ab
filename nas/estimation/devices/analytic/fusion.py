"""Which operators run together: element-wise ones join the operator that produces what they read.

What passes inside a group never reaches memory. Groups run in the order of their first operators.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from nas.estimation.devices.analytic.graph import Graph, Node
from nas.estimation.devices.analytic.operators import OPERATORS


@dataclass
class Group:
    """Operators that are launched once.

    Attributes:
        is_fallback: Whether the device's own unit cannot run it.
        reads: Tensors from outside; views of the same tensor are one.
        weights: Constants.
        writes: Tensors that are read outside.
        live_elements: Elements that must be kept while it runs, its own reads and writes included.
    """

    nodes: list[Node]
    is_fallback: bool = False
    reads: set[str] = field(default_factory=set)
    weights: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    live_elements: int = 0


def groups_of(
    graph: Graph, is_supported: Callable[[Node], bool], is_free: Callable[[Node], bool], *, fuses: bool
) -> list[Group]:
    """Put operators together, and find what each group reads, writes and has to keep.

    Args:
        graph: A graph without foldable constants.
        is_supported: Whether the device's own unit runs an operator.
        is_free: Whether an operator is only another view of its first input.
        fuses: Whether element-wise operators join their producers.
    """
    sources = _sources(graph, is_free)
    groups: list[Group] = []
    home: dict[str, int] = {}
    for node in graph.nodes:
        if is_free(node):
            continue
        read = {sources[name] for name in node.inputs if name and name not in graph.constants}
        supported = is_supported(node)
        place = _place(node, read, graph, groups, home) if fuses and supported else None
        if place is None:
            place = len(groups)
            groups.append(Group([], is_fallback=not supported))
        groups[place].nodes.append(node)
        groups[place].reads |= read
        groups[place].weights |= {name for name in node.inputs if name in graph.constants}
        home.update(dict.fromkeys(node.outputs, place))
    _settle(graph, groups, home, sources)
    return groups


def _sources(graph: Graph, is_free: Callable[[Node], bool]) -> dict[str, str]:
    """The tensor that each tensor is a view of; most are their own."""
    sources = {name: name for name in graph.shapes}
    for node in graph.nodes:
        if is_free(node):
            sources.update(dict.fromkeys(node.outputs, sources[node.inputs[0]]))
    return sources


def _place(node: Node, read: set[str], graph: Graph, groups: list[Group], home: dict[str, int]) -> int | None:
    """The group that an element-wise operator joins: the latest it reads, so that all else is there already."""
    produced = {name: home[name] for name in read if name in home}
    if OPERATORS[node.operator].kind != "elementwise" or not produced:
        return None
    latest = max(produced.values())
    head = OPERATORS[groups[latest].nodes[0].operator].kind
    size = graph.elements(node.outputs[0])
    fits = any(place == latest and graph.elements(name) == size for name, place in produced.items())
    return latest if fits and head != "move" and not groups[latest].is_fallback else None


def _settle(graph: Graph, groups: list[Group], home: dict[str, int], sources: dict[str, str]) -> None:
    """Leave out what stays inside groups, and sum up what is alive."""
    end = len(groups)
    last_read = {sources[name]: end for name in graph.outputs}
    for place, group in enumerate(groups):
        group.reads = {name for name in group.reads if home.get(name) != place}
        for name in group.reads:
            last_read[name] = max(place, last_read.get(name, -1))
    # Inputs are there from the first group on; what nobody reads is gone at once.
    starts = {name: home.get(name, 0) for name in last_read if name not in graph.constants}
    for name, start in starts.items():
        if name in home:
            groups[start].writes.add(name)
        for place in range(start, min(last_read[name] + 1, end)):
            groups[place].live_elements += graph.elements(name)
