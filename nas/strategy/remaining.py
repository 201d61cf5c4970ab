"""What is left to find: the probability of something better, and how much of it, by joint draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nas.domain.pareto import hypervolume_2d
from nas.strategy.outlook import Outlook
from nas.strategy.pricing import Codes, Prices

MATTERS = 0.01
"""Relative improvement below which something is not called better."""
_BELIEVED = 0.4
"""Power of the odds of joint draws that is believed: on the bench it is what makes them come true."""
_DRAWS = 256
_FRONT_DRAWS = 48
_MOST_FRONT = 200
"""Judged architectures of two objectives that take part in the draws."""


def remaining(outlook: Outlook) -> dict[str, Any] | None:
    """Probability that a candidate is feasible and better by at least one per cent, and the expected gain.

    Of one objective the gain is the saving relative to the recommended architecture (null while there is
    none); of two the growth of the hypervolume, relative to the present one, if all promising candidates
    were evaluated. Candidates are judged jointly, so that neighbours do not count twice, and only the most
    promising ones are. The probability is what joint draws say, brought closer to even by `tempered`.

    Returns:
        None where there is no model.
    """
    if not outlook.is_modelled or not len(outlook.judged):
        return None
    promising = outlook.candidates[outlook.promising] if len(outlook.candidates) else outlook.candidates
    gains = _growth(outlook, promising) if outlook.problem.is_pareto else _savings(outlook, promising)
    better = gains >= MATTERS
    known = np.isfinite(gains).all()
    return {
        "kind": "hypervolume" if outlook.problem.is_pareto else "saving",
        "probability": tempered(better) if len(promising) and outlook.models else float(better.mean()),
        "expected_gain": float(gains.mean()) if known else None,
        "candidates": len(outlook.candidates),
        "is_sampled": not outlook.lens.pool.is_exhaustive,
    }


def tempered(happens: npt.NDArray[np.bool_]) -> float:
    """Probability of what happens in some joint draws, by less than their odds.

    Draws take the model for true. Where nothing was measured all of its errors share a direction, and what every draw
    says may come to nothing, or the other way round. On 144 histories of four landscapes the odds came true to the
    power of 0.30 to 0.41, whichever landscape was left out (`python -m benchmarks.search.reliability`).
    """
    counted = (happens.sum() + 0.5) / (len(happens) + 1.0)
    odds = (counted / (1.0 - counted)) ** _BELIEVED
    return float(odds / (1.0 + odds))


def _savings(outlook: Outlook, promising: Codes) -> Prices:
    """Best relative saving in each draw: 0 where nothing is better, infinite where nothing was feasible before."""
    first = outlook.problem.objectives[0]
    values, feasible = _drawn(outlook, promising, _DRAWS)
    if not len(promising):
        return np.zeros(_DRAWS)
    objective = np.where(feasible, values[first], np.inf).min(axis=1)
    if not len(outlook.best):
        return np.where(np.isfinite(objective), np.inf, 0.0)
    level = outlook.evaluated.value(first)[outlook.best[0]]
    return np.maximum(1.0 - objective / level, 0.0) if level > 0 else np.zeros(_DRAWS)


def _growth(outlook: Outlook, promising: Codes) -> Prices:
    """Relative growth of the hypervolume in each draw."""
    order = outlook.judged.best_first(outlook.problem.objectives)[:_MOST_FRONT]
    together = np.concatenate([outlook.judged.codes[order], promising])
    values, feasible = _drawn(outlook, together, _FRONT_DRAWS)
    points = np.stack([values[metric] for metric in outlook.problem.objectives], axis=-1)
    gains = []
    for drawn, allowed in zip(points, feasible, strict=True):
        now = hypervolume_2d(drawn[: len(order)][allowed[: len(order)]].tolist(), outlook.reference)
        then = hypervolume_2d(drawn[allowed].tolist(), outlook.reference)
        gains.append(then / now - 1.0 if now > 0 else np.inf if then > 0 else 0.0)
    return np.array(gains)


def _drawn(outlook: Outlook, codes: Codes, draws: int) -> tuple[dict[str, Prices], Any]:
    """Joint draws of every metric at `N` architectures, `S x N` each, and whether all bounds hold."""
    lens = outlook.lens
    generator = np.random.default_rng(lens.context.seed)
    values: dict[str, Prices] = {}
    for metric in outlook.problem.metrics:
        if metric in outlook.models and len(codes):
            normals = generator.standard_normal((draws, len(codes)))
            values[metric] = np.exp(outlook.models[metric].draw(codes[:, lens.free_stages], normals))
        elif metric in outlook.models:
            values[metric] = np.zeros((draws, 0))
        else:
            values[metric] = np.broadcast_to(lens.priced.prices(metric, codes), (draws, len(codes)))
    feasible = np.broadcast_to(lens.pool.is_within_bounds(codes), (draws, len(codes)))
    for bound in outlook.problem.constraints:
        if bound.metric in outlook.models:
            feasible = feasible & (values[bound.metric] <= bound.at_most)
    return values, feasible
