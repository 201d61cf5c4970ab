"""Pairs of networks of which the one that looks cheaper is slower, and why, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.domain.architecture import Architecture
from nas.estimation.rank import Numbers

WORTH_TELLING = 0.01
"""A saving or a slow-down below this share is no example of anything."""
_NAMES = {"params": "params", "gmacs": "MACs"}


@dataclass(frozen=True)
class Pair:
    """Two networks by position.

    Attributes:
        cheaper: Has less of the figure, and takes longer.
        dearer: The other one.
        saves: Share of the dearer one's figure that the cheaper one saves.
        slower: Share of the dearer one's latency that the cheaper one takes longer.
    """

    cheaper: int
    dearer: int
    saves: float
    slower: float


def counter_example(figure: Numbers, latencies: Numbers) -> Pair | None:
    """The pair with the greatest product of saving and slow-down; None where figure and latency agree.

    Args:
        figure: Params or MACs of `n` networks.
        latencies: Their latencies.
    """
    saves = 1.0 - figure[:, None] / figure[None, :]
    slower = latencies[:, None] / latencies[None, :] - 1.0
    both = np.where((saves > WORTH_TELLING) & (slower > WORTH_TELLING), saves * slower, 0.0)
    if not both.size or not both.any():
        return None
    cheaper, dearer = (int(place) for place in np.unravel_index(int(both.argmax()), both.shape))
    return Pair(cheaper, dearer, float(saves[cheaper, dearer]), float(slower[cheaper, dearer]))


def words_of(found: Mapping[str, Any], cheaper: Architecture, dearer: Architecture) -> str:
    """The example as a sentence: what is saved, what it costs, and which stages are to blame."""

    def told(stage: str, ms: float) -> str:
        change = f"{stage} is {cheaper.variant(stage)} instead of {dearer.variant(stage)}"
        return f"{change} ({ms:+.2f} ms)"

    costs = [told(stage, ms) for stage, ms in found["stages_ms"].items() if ms > 0]
    gains = [told(stage, ms) for stage, ms in found["stages_ms"].items() if ms <= 0]
    because = "; ".join(costs[:2]) or "the assembled network takes longer than the sum of its blocks"
    against = f", while {gains[-1]}" if gains else ""
    what = _NAMES.get(found["figure"], found["figure"])
    how = "measured" if found["is_measured"] else "by its table"
    return (
        f"Trial {found['cheaper']} has {100 * found['saves']:.0f} % fewer {what} than trial {found['dearer']} and is "
        f"{100 * found['slower']:.0f} % slower on {found['device']} ({how}), because {because}{against}."
    )
