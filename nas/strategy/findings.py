"""Says in sentences what the numbers of a health report mean, and what to do about each."""

from __future__ import annotations

import math
from typing import Any, Literal

from nas.domain.metric import FIDELITY_METRICS
from nas.strategy.outlook import LIKELY, Outlook
from nas.strategy.remaining import MATTERS

ENOUGH_POINTS = 8
"""Measured values of a metric below which no verdict on its model is given."""
_ORDERS_WELL, _ORDERS_BADLY = 0.6, 0.35
_TELLING = 0.3
"""Rank correlation below which block losses are said to predict nothing."""
_STANDARD_ERRORS = 2.5
_NOISY = 0.1
_DECISIVE = 0.5
_LIKELY_MORE, _UNLIKELY_MORE = 0.3, 0.1
_TOGETHER = 3

Document = dict[str, Any]
Severity = Literal["good", "note", "warning", "problem"]


def finding(code: str, severity: Severity, metric: str | None, said: str, remedy: str = "") -> Document:
    """One thing to know, and what to do about it."""
    return {"code": code, "severity": severity, "metric": metric, "finding": said, "remedy": remedy}


def of_metric(examined: Document) -> list[Document]:
    """What is to be said about the model of one metric."""
    metric, points = examined["metric"], examined["points"]
    if points < ENOUGH_POINTS:
        said = f"{metric} has {points} measured values; its model can be judged from {ENOUGH_POINTS} on."
        return [finding("too_early", "note", metric, said, "Let the search run on.")]
    told = [_order(examined), _calibration(examined), _additivity(examined), _noise(examined), _decisive(examined)]
    return [one for one in told if one is not None]


def of_block_losses(outlook: Outlook) -> list[Document]:
    """Whether block losses were too implausible to be used."""
    priced = outlook.lens.priced
    if priced.believes_block_losses or not priced.knows_block_losses:
        return []
    said = "Block losses do not rise with what blocks save, as they would if they told anything: they are not used."
    remedy = "Distil with more steps, and look at the stages where less costly blocks seem to lose less."
    return [finding("implausible_block_losses", "warning", None, said, remedy)]


def of_bounds(outlook: Outlook) -> list[Document]:
    """While nothing measured respects all bounds: by how much the nearest misses exceed them."""
    judged = outlook.judged
    if not len(judged) or (judged.violation == 0).any():
        return []
    nearest = int(judged.violation.argmin())
    number = int(outlook.evidence.numbers[outlook.rows[nearest]])
    exceeded = [
        f"{bound.metric} by a factor of {judged.means[bound.metric][nearest] / bound.at_most:.3g}"
        for bound in outlook.problem.constraints
        if judged.means[bound.metric][nearest] > bound.at_most
    ]
    said = f"Nothing is feasible yet; trial {number} misses {' and '.join(exceeded)}."
    likely = float(outlook.likely_candidates.max(initial=0.0)) if outlook.is_modelled else 0.0
    if likely >= LIKELY:
        remedy = (
            f"Let the search run on: an untried architecture is feasible with a probability of {_chance(likely)}."
        )
        return [finding("nothing_feasible", "warning", None, said, remedy)]
    return [finding("nothing_feasible", "warning", None, said, _wider(outlook))]


def of_remainder(remains: Document | None, outlook: Outlook) -> list[Document]:
    """Whether it pays to go on."""
    if remains is None or not len(outlook.best):
        return []
    chance, gain = remains["probability"], remains["expected_gain"]
    what = (
        f"a front at least {_percent(MATTERS)} larger"
        if outlook.problem.is_pareto
        else f"something at least {_percent(MATTERS)} better"
    )
    if chance < _UNLIKELY_MORE:
        said = f"The probability that {what} remains is {_chance(chance)}."
        return [finding("nothing_left", "good", None, said, "Stop here, or move a bound to ask for more.")]
    if chance < _LIKELY_MORE:
        return []
    gained = (
        "growth of the hypervolume" if outlook.problem.is_pareto else f"saving of {outlook.problem.objectives[0]}"
    )
    expected = "" if gain is None else f"; a {gained} by {_percent(gain, 1)} is expected"
    said = f"The probability that {what} remains is {_chance(chance)}{expected}."
    return [finding("more_to_find", "note", None, said, "Let the search run on, or clone it with a larger budget.")]


def of_luck(outlook: Outlook) -> list[Document]:
    """Whether the best measurement is one that the model does not trust."""
    lucky = outlook.luckiest
    if lucky is None or outlook.likely[lucky] >= LIKELY:
        return []
    number = int(outlook.evidence.numbers[outlook.rows[lucky]])
    likely = _chance(outlook.likely[lucky])
    said = f"Trial {number} is the best measured, but the probability that it is feasible is {likely}."
    if len(outlook.best):
        other = int(outlook.evidence.numbers[outlook.rows[outlook.best[0]]])
        return [finding("lucky", "note", None, said, f"Take trial {other} instead.")]
    return [finding("lucky", "note", None, said, "Judge it again with a larger calibration.holdout before using it.")]


def _order(examined: Document) -> Document:
    metric, errors = examined["metric"], examined["leave_one_out"]
    tau = errors["kendall_tau"] or 0.0
    said = f"{metric} is predicted within a factor of {errors['factor']:.3g} and ordered with a tau of {tau:.2f}."
    if tau >= _ORDERS_WELL:
        return finding("order", "good", metric, said)
    severity: Severity = "warning" if tau >= _ORDERS_BADLY else "problem"
    remedy = "Let the search run on: the model learns from every trial."
    if _blocks_tell(examined) is False:
        remedy = "Distil with more steps so that block losses tell more, or let the search run on."
    return finding("order", severity, metric, said, remedy)


def _calibration(examined: Document) -> Document | None:
    metric, points = examined["metric"], examined["points"]
    for level, inside in examined["leave_one_out"]["coverage"].items():
        share = int(level) / 100
        tolerance = _STANDARD_ERRORS * math.sqrt(share * (1 - share) / points)
        said = f"{_percent(inside)} of {metric} lie in the model's {level} % intervals."
        if inside < share - tolerance:
            remedy = (
                "Trust probabilities near the bound less: leave a margin, or judge with a larger calibration.holdout."
            )
            return finding("overconfident", "warning", metric, said, remedy)
        if inside > share + tolerance:
            remedy = (
                "None needed: the model is more careful than it has to be, and tries a little more than necessary."
            )
            return finding("underconfident", "note", metric, said, remedy)
    return None


def _additivity(examined: Document) -> Document | None:
    metric = examined["metric"]
    if _blocks_tell(examined) is not False:
        return None
    rho = examined["additivity"]["weighted"]["spearman"] or 0.0
    if metric in FIDELITY_METRICS:
        # Where none can be believed, what blocks save stands in for their losses.
        said = f"What is known of single blocks does not predict {metric} (Spearman {rho:.2f})."
        remedy = "Distil with more steps, or let the search run on: the model learns without them, only more slowly."
    else:
        said = f"The costs of single blocks do not predict {metric} (Spearman {rho:.2f})."
        remedy = "Time the blocks again on a quiet machine, or let the search run on."
    return finding("block_losses", "warning", metric, said, remedy)


def _noise(examined: Document) -> Document | None:
    metric, noise = examined["metric"], examined["noise_sd"]
    if noise < _NOISY:
        return None
    said = f"Two measurements of {metric} differ by {_percent(math.expm1(noise))} for nothing."
    remedy = "Raise calibration.holdout: four times as many samples halve the noise."
    if metric not in FIDELITY_METRICS:
        remedy = "Time with more repetitions on a quiet machine."
    return finding("noise", "warning", metric, said, remedy)


def _decisive(examined: Document) -> Document | None:
    metric, stages = examined["metric"], examined["stages"]
    first = max(stages, key=lambda one: one["share"], default=None)
    if first is None or len(stages) < 2 or first["share"] < _DECISIVE:
        return None
    said = f"Stage {first['stage']} decides {metric}: {_percent(first['share'])} of the learned sensitivity."
    remedy = f"Offer more variants at {first['stage']}, or distil its blocks for longer."
    return finding("decisive_stage", "note", metric, said, remedy)


def _blocks_tell(examined: Document) -> bool | None:
    """Whether block losses order the metric; None where nothing is known of them."""
    additivity, points, weights = examined["additivity"], examined["points"], len(examined["stages"])
    if additivity is None:
        return None
    plain, weighted = (additivity[form]["spearman"] or 0.0 for form in ("plain", "weighted"))
    if points > weights + 1:  # weights were fitted to the same points: counted as in an adjusted R squared
        by_chance = (1 - weighted**2) * (points - 1) / (points - weights - 1)
        plain = max(plain, math.sqrt(max(1 - by_chance, 0.0)) if weighted > 0 else 0.0)
    return plain >= _TELLING


def _wider(outlook: Outlook) -> str:
    """Where the bounds would have to be for a few evaluated architectures to respect them."""
    judged, constraints = outlook.judged, outlook.problem.constraints
    order = judged.violation.argsort(kind="stable")[:_TOGETHER]
    parts = []
    for bound in constraints:
        needed = float(judged.means[bound.metric][order].max())
        if needed > bound.at_most:
            parts.append(f"{bound.metric} to {_rounded_up(needed)}")
    count = {1: "one evaluated architecture respects", 2: "two evaluated architectures respect"}.get(
        len(order), "three evaluated architectures respect"
    )
    return f"Move {' and '.join(parts)}: {count} that. Or let the search run on."


def _rounded_up(value: float) -> str:
    """Three significant digits, never below the value."""
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{math.ceil(value / step * (1 - 1e-12)) * step:.3g}"


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def _chance(probability: float) -> str:
    """In per cent; a probability that was counted in draws is never told as certain."""
    return (
        "more than 99 %" if probability > 0.99 else "less than 1 %" if probability < 0.01 else _percent(probability)
    )
