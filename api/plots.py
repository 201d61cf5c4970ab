"""The picture of a front."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.engine.front import axes, best, front, measured
from nas.errors import Fault, SpecError

PICTURES = (".png", ".svg", ".pdf")
_LABELS = {
    "params": "parameters",
    "gmacs": "GMACs (attention products counted)",
    "gmacs_without_attention_products": "GMACs (attention products left out)",
    "table_latency_ms": "table latency [ms]",
    "noise_mse": "noise MSE to the teacher",
    "noise_mse_relative": "noise MSE to the teacher, relative to its power",
    "feature_distance": "feature distance to the teacher",
}
_FEASIBLE, _INFEASIBLE, _BOUND = "#0072b2", "#b0b0b0", "#d55e00"  # Okabe & Ito: safe for colour-blind eyes


def plot_front(search: Search, trials: Sequence[Trial], path: Path) -> None:
    """Draw all measured trials, the front, the bounds and the winner; write PNG or SVG by suffix.

    Args:
        search: The search; its problem in force gives axes and bounds.
        trials: All of its trials.
        path: Where to write.

    Raises:
        SpecError: If the suffix is no picture's.
    """
    if path.suffix.lower() not in PICTURES:
        raise SpecError((Fault("--plot", f"cannot draw into a {path.suffix or 'file without suffix'}", ".png"),))
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    x, y = (*axes(search.problem), "noise_mse_relative")[:2]
    figure, plane = plt.subplots(figsize=(8, 5), layout="constrained")
    shown = [trial for trial in measured(trials) if {x, y} <= set(_means(trial))]
    for feasible, colour in ((False, _INFEASIBLE), (True, _FEASIBLE)):
        chosen = [trial for trial in shown if search.problem.is_feasible(_metrics(trial)) is feasible]
        _scatter(plane, chosen, x, y, colour, "within the bounds" if feasible else "outside the bounds")
    line = [_means(trial) for trial in front(trials, search.problem)]
    plane.step([p[x] for p in line], [p[y] for p in line], where="post", color="black", lw=1, label="front", zorder=2)
    for bound in search.problem.constraints:
        draw = {x: plane.axvline, y: plane.axhline}.get(bound.metric)
        if draw is not None:
            draw(bound.at_most, color=_BOUND, ls="--", lw=1, label=f"bound: {bound.metric} ≤ {bound.at_most:g}")
    winner = best(trials, search.problem)
    if winner is not None and {x, y} <= set(_means(winner)):
        point = _means(winner)
        plane.plot(point[x], point[y], marker="*", ms=16, color=_BOUND, ls="", label=f"best: trial {winner.number}")
    plane.set_xlabel(_LABELS.get(x, x))
    plane.set_ylabel(_LABELS.get(y, y))
    if any(_means(trial)[y] > 0 for trial in shown):
        smallest = min(_means(trial)[y] for trial in shown if _means(trial)[y] > 0)
        plane.set_yscale("symlog", linthresh=smallest)  # the teacher itself stands at zero
    plane.set_title(f"{search.spec.name}: {len(shown)} measured of {search.space.size:,} architectures", loc="left")
    plane.grid(alpha=0.3)
    plane.legend(fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _scatter(plane: Any, trials: Sequence[Trial], x: str, y: str, colour: str, label: str) -> None:
    if not trials:
        return
    metrics = [_metrics(trial) for trial in trials]
    plane.errorbar(
        [m[x].mean for m in metrics],
        [m[y].mean for m in metrics],
        yerr=[1.96 * m[y].sem for m in metrics],
        fmt="o",
        ms=5,
        color=colour,
        elinewidth=0.8,
        label=label,
        zorder=3,
    )


def _metrics(trial: Trial) -> Any:
    return trial.evaluation.metrics if trial.evaluation else {}


def _means(trial: Trial) -> dict[str, float]:
    return {name: value.mean for name, value in _metrics(trial).items()}
