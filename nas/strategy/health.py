"""The health of a search: how far its model can be trusted, what it has learned, and what is left to find."""

from __future__ import annotations

from collections import Counter
from typing import Any

from nas.strategy import findings
from nas.strategy.base import Strategy
from nas.strategy.bayesian import undisturbed
from nas.strategy.examination import examine
from nas.strategy.insight import Insight, nearest_misses
from nas.strategy.outlook import Outlook
from nas.strategy.remaining import remaining

Document = dict[str, Any]

_RANKS = ("problem", "warning", "note", "good")
_SUMMARIES = {
    "good": "The model predicts well and knows how well.",
    "fair": "The model is of use, with reservations.",
    "poor": "The model does not predict this search; trust measurements alone.",
    "too early": "There are too few measurements for a judgement.",
}


def health(strategy: Strategy) -> Document:
    """The health report of what a strategy was last told, as plain values; see `report`."""
    return report(Insight.of(strategy))


def report(insight: Insight) -> Document:
    """The health report of a search, as plain values ready for JSON.

    Returns:
        `verdict` (`good`, `fair`, `poor`, `too early`), `findings` with a remedy each, the gravest first;
        `metrics`, one examination per estimated metric; `remaining`, what is left to find; `nearest_misses` while
        nothing is feasible.
    """
    with undisturbed():
        outlook = insight.outlook()
        examined = [examine(outlook, metric) for metric in outlook.lens.estimated]
        remains = remaining(outlook)
        told = _findings(outlook, examined, remains)
    verdict = _verdict(outlook, told, examined)
    return {
        "verdict": verdict,
        "summary": _SUMMARIES[verdict] if examined or not len(outlook.judged) else "Every metric is exact: no model.",
        "points": len(outlook.judged),
        "metrics": examined,
        "remaining": remains,
        "nearest_misses": nearest_misses(outlook),
        "findings": sorted(told, key=lambda one: _RANKS.index(one["severity"])),
    }


def _findings(outlook: Outlook, examined: list[Document], remains: Document | None) -> list[Document]:
    told = [one for metric in examined for one in findings.of_metric(metric)]
    if not len(outlook.judged) and not examined:
        told.append(
            findings.finding("too_early", "note", None, "No trial has a verdict yet.", "Let the search run on.")
        )
    return [
        *told,
        *findings.of_block_losses(outlook),
        *findings.of_bounds(outlook),
        *findings.of_luck(outlook),
        *findings.of_remainder(remains, outlook),
    ]


def _verdict(outlook: Outlook, told: list[Document], examined: list[Document]) -> str:
    if not len(outlook.judged) or any(metric["points"] < findings.ENOUGH_POINTS for metric in examined):
        return "too early"
    severities = Counter(one["severity"] for one in told)
    return "poor" if severities["problem"] else "fair" if severities["warning"] else "good"
