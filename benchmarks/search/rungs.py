"""What the first samples of a noisy evaluation would have told, where only the whole was drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.search.landscape import Rung
from nas.domain.stopping import PARTS

SHARES = tuple(1 / part for part in PARTS)
"""An eighth, a quarter, half of the samples: the product's."""


def rungs_of_noise(true: float, measured: float, noise: float, draw: np.random.Generator) -> Sequence[Rung]:
    """Log-normal noise of independent samples, built up one after another to the error that was measured.

    After a share `s` the log error is `noise · W(s) / s` with a Brownian motion `W` that ends in the whole
    evaluation's error: its standard deviation is `noise / √s`, and what the first samples say stays part of the rest.

    Args:
        true: True loss.
        measured: Loss of the whole evaluation.
        noise: Standard deviation of its log.
        draw: Of the way there.
    """
    if true <= 0 or measured <= 0:
        return ()
    found, at = [], 1.0
    walk = math.log(measured / true) / noise
    for share in sorted(SHARES, reverse=True):
        # A Brownian bridge from 0 to where the walk stands at `at`.
        walk = walk * share / at + math.sqrt(share * (at - share) / at) * draw.normal()
        at = share
        loss = true * math.exp(noise * walk / share)
        found.append(Rung(share, loss, loss * noise / math.sqrt(share)))
    return found[::-1]
