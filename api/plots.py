"""The picture of a front."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from api.schemas.fronts import FrontDocument
from api.schemas.searches import SearchDocument
from api.schemas.trials import TrialDocument
from nas.errors import Fault, SpecError

PICTURES = (".png", ".svg", ".pdf")
_LABELS = {
    "params": "parameters",
    "gmacs": "GMACs (attention products counted)",
    "gmacs_without_attention_products": "GMACs (attention products left out)",
    "table_latency_ms": "table latency [ms]",
    "latency_ms": "latency [ms]",
    "noise_mse": "noise MSE to the teacher",
    "noise_mse_relative": "noise MSE to the teacher, relative to its power",
    "feature_distance": "feature distance to the teacher",
}
_FEASIBLE, _INFEASIBLE, _BOUND = "#0072b2", "#b0b0b0", "#d55e00"  # Okabe & Ito: safe for colour-blind eyes


def plot_front(search: SearchDocument, front: FrontDocument, trials: Iterable[TrialDocument], path: Path) -> None:
    """Draw all measured trials, the front, the bounds and the winner; write PNG or SVG by suffix.

    Args:
        search: The search.
        front: Its front; gives axes and bounds.
        trials: All of its trials.
        path: Where to write.

    Raises:
        SpecError: If the suffix is no picture's.
    """
    require_picture(path)
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    x, y = (*front.axes, "noise_mse_relative")[:2]
    figure, plane = plt.subplots(figsize=(8, 5), layout="constrained")
    shown = [trial for trial in trials if {x, y} <= set(trial.metrics)]
    for feasible, colour in ((False, _INFEASIBLE), (True, _FEASIBLE)):
        chosen = [trial for trial in shown if trial.feasible is feasible]
        _scatter(plane, chosen, x, y, colour, "within the bounds" if feasible else "outside the bounds")
    line = [point.metrics for point in front.points]
    xs, ys = [point[x].mean for point in line], [point[y].mean for point in line]
    plane.step(xs, ys, where="post", color="black", lw=1, label="front", zorder=2)
    for metric, at_most in front.bounds.items():
        draw = {x: plane.axvline, y: plane.axhline}.get(metric)
        if draw is not None:
            draw(at_most, color=_BOUND, ls="--", lw=1, label=f"bound: {metric} ≤ {at_most:g}")
    _mark_best(plane, front.best, x, y)
    plane.set_xlabel(label(x))
    plane.set_ylabel(label(y))
    above_zero = [trial.metrics[y].mean for trial in shown if trial.metrics[y].mean > 0]
    if above_zero:
        plane.set_yscale("symlog", linthresh=min(above_zero))  # the teacher itself stands at zero
    plane.set_title(
        f"{search.name}: {len(shown)} measured of {search.architectures_in_space:,} architectures", loc="left"
    )
    plane.grid(alpha=0.3)
    plane.legend(fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def require_picture(path: Path) -> None:
    """Refuse a file that cannot be drawn into.

    Raises:
        SpecError: If the suffix is no picture's.
    """
    if path.suffix.lower() not in PICTURES:
        raise SpecError((Fault("--plot", f"cannot draw into a {path.suffix or 'file without suffix'}", ".png"),))


def label(metric: str) -> str:
    """What an axis says; a further device's latency says which."""
    for name in ("table_latency_ms", "latency_ms"):
        if metric.startswith(f"{name}_"):
            return f"{_LABELS[name]}, {metric.removeprefix(f'{name}_').replace('_', '-')}"
    return _LABELS.get(metric, metric)


def _mark_best(plane: Any, best: TrialDocument | None, x: str, y: str) -> None:
    if best is not None and {x, y} <= set(best.metrics):
        place = best.metrics[x].mean, best.metrics[y].mean
        plane.plot(*place, marker="*", ms=16, color=_BOUND, ls="", label=f"best: trial {best.trial}")


def _scatter(plane: Any, trials: Sequence[TrialDocument], x: str, y: str, colour: str, label: str) -> None:
    if not trials:
        return
    metrics = [trial.metrics for trial in trials]
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
