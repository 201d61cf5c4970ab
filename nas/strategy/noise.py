"""How noisy measurements are, before any model has seen them."""

from __future__ import annotations

import numpy as np

from nas.domain.metric import FIDELITY_METRICS
from nas.strategy.judged import Judged
from nas.strategy.pricing import Prices

LEAST_NOISE_SD = 0.01
_SHARED = 3.0
"""Candidates see the same held-out latents: what they do not share of a standard error is about a third of it. On our
own truth, near ε, an eighth of the samples strays by 2.6 % from all of them, with a standard error of 8 %.
"""
_DOUBT = 8.0
"""As many samples as this leave a standard error half believed, and half taken for the typical one."""

_KNOWN, _UNKNOWN = 0.3, 1.0


def expected_noise(metric: str, judged: Judged) -> Prices:
    """Standard deviation of the log of each measurement of a metric, `n`, as far as order among candidates goes.

    A fidelity of several samples comes from the same samples for everybody, so that most of its error is common.
    A single one (a training, say) is on its own, and so is every latency.
    """
    means, samples = judged.means[metric], judged.samples[metric]
    relative = np.divide(judged.errors[metric], means, out=np.zeros(len(means)), where=means > 0)
    if metric in FIDELITY_METRICS:
        relative = np.where(samples > 1, relative / _SHARED, relative)
    typical = float(np.median(relative[means > 0])) if (means > 0).any() else 0.0
    belief = samples / (samples + _DOUBT)
    variance: Prices = typical**2 + belief * (relative**2 - typical**2)
    return np.maximum(np.sqrt(variance), LEAST_NOISE_SD)


def noise_width(metric: str, judged: Judged) -> float:
    """Standard deviation of the log of the variance: how little is known of the level of `expected_noise`.

    Repetitions of a single sample tell the noise as it is. How much of an error candidates share, or how much a
    device drifts between two measurements, no standard error tells.
    """
    samples = judged.samples[metric]
    return _KNOWN if metric in FIDELITY_METRICS and (samples == 1).all() and judged.errors[metric].any() else _UNKNOWN
