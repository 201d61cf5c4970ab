"""How good a fitted response model is, in numbers: errors left out, calibration, order, additivity, stages."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nas.estimation.rank import kendall_tau, r_squared, spearman
from nas.strategy.fitted import FittedResponse
from nas.strategy.outlook import Outlook

LEVELS = {"50": 0.674490, "80": 1.281552, "95": 1.959964}
"""Central intervals of the normal distribution, in per cent, and their half width in standard deviations."""

Document = dict[str, Any]


def examine(outlook: Outlook, metric: str) -> Document:
    """One estimated metric, by its model; without one only the number of points is known.

    Returns:
        Plain values: `leave_one_out` (error of the log and as a factor, Kendall's tau with the
        measurements, share of standardised residuals inside central intervals), `additivity` (Spearman and
        R² of the plain sum of contributions and of the learned weighted form, both with the
        measured log), `stages` (share of the learned sensitivity), `predictions` (per trial).
    """
    model = outlook.models.get(metric)
    if model is None:
        points = int((outlook.told.means[metric] > 0).sum())
        return {"metric": metric, "points": points, **dict.fromkeys(_LATER), "stages": [], "predictions": []}
    return {
        "metric": metric,
        "points": len(model.kept),
        "noise_sd": model.noise_sd,
        "leave_one_out": _errors(model),
        "additivity": _additivity(model),
        "stages": _stages(outlook, model),
        "decisive_stage": _decisive(outlook, model),
        "predictions": _predictions(outlook, model),
    }


_LATER = ("noise_sd", "leave_one_out", "additivity", "decisive_stage")


def _errors(model: FittedResponse) -> Document:
    predicted, measured = model.leave_one_out(), model.logs
    off = predicted.mean - measured
    standardised = np.abs(off) / predicted.deviation
    rmse = float(np.sqrt(np.mean(off**2)))
    return {
        "rmse_log": rmse,
        "factor": math.exp(min(rmse, 700.0)),
        "kendall_tau": _finite(kendall_tau(predicted.mean, measured)),
        "coverage": {level: float((standardised <= width).mean()) for level, width in LEVELS.items()},
    }


def _additivity(model: FittedResponse) -> Document | None:
    """None where nothing is known of the blocks: their contributions are all the same."""
    sums, measured = model.plain_sums(), model.logs
    if np.ptp(sums) == 0:
        return None
    least = float(sums[sums > 0].min())
    plain = np.log(np.maximum(sums, least))
    return {
        "plain": {"spearman": _finite(spearman(plain, measured)), "r_squared": _finite(r_squared(plain, measured))},
        "weighted": {
            "spearman": _finite(spearman(model.additive(), measured)),
            "r_squared": _finite(r_squared(model.additive(), measured)),
        },
    }


def _stages(outlook: Outlook, model: FittedResponse) -> list[Document]:
    """Every stage with a choice: learned weight times what a variant of it typically contributes, as a share."""
    weights, typical = model.stage_weights(), model.typical_contributions()
    effects = weights * typical
    total = float(effects.sum())
    if total <= 0:
        return []
    stages = outlook.lens.space.stages
    return [
        {
            "stage": stages[place].stage,
            "weight": float(weight),
            "contribution": float(size),
            "share": float(effect / total),
        }
        for place, weight, size, effect in zip(outlook.lens.free_stages, weights, typical, effects, strict=True)
    ]


def _decisive(outlook: Outlook, model: FittedResponse) -> str | None:
    stages = _stages(outlook, model)
    name: str | None = max(stages, key=lambda one: one["share"])["stage"] if stages else None
    return name


def _predictions(outlook: Outlook, model: FittedResponse) -> list[Document]:
    """Predicted without its own measurement, against measured, with the 95 % interval of a new measurement."""
    told = {codes.tobytes(): int(number) for codes, number in zip(outlook.told.codes, _numbers(outlook), strict=True)}
    codes = outlook.lens.telling(outlook.told).codes[model.kept]
    out = model.leave_one_out()
    width = LEVELS["95"] * out.deviation
    logs = (model.logs, out.mean, out.mean - width, out.mean + width)
    columns = zip(codes, *(np.exp(values) for values in logs), strict=True)
    return [
        {
            "trial": told[row.tobytes()],
            "measured": float(measured),
            "predicted": float(predicted),
            "low": float(low),
            "high": float(high),
        }
        for row, measured, predicted, low, high in columns
    ]


def _numbers(outlook: Outlook) -> Any:
    return outlook.evidence.numbers[outlook.told_rows]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
