"""From a runtime's operators back to the stages of the network."""

from __future__ import annotations

from collections.abc import Iterable

from nas.domain.device import LayerLatency

ELSEWHERE = "stem and head"


def by_stage(layers: Iterable[LayerLatency], stages: Iterable[str]) -> dict[str, float]:
    """Milliseconds per stage, in the order given; what belongs to none stands under `stem and head`.

    An operator belongs to the first stage that its module path names, as exporters keep it: `/D1/units.5/.../Conv`.

    Args:
        layers: Operators of a whole network.
        stages: Names of all stages; empty for a network without.
    """
    known = tuple(stages)
    if not known:
        return {}
    sums = dict.fromkeys((*known, ELSEWHERE), 0.0)
    for layer in layers:
        parts = layer.name.replace("/", ".").split(".")
        sums[next((part for part in parts if part in known), ELSEWHERE)] += layer.ms
    return sums
