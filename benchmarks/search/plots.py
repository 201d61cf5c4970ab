"""Pictures of finished runs: `python -m benchmarks.search.plots RESULTS --out docs/images`.

One figure per landscape and task: regret over evaluations, or relative hypervolume for the front; a line is the
median over seeds, its band the middle half of them. Methods of others are in `search-LANDSCAPE-TASK`, the engine
without its parts in `search-LANDSCAPE-TASK-parts`. Bright ground and dark ink of their own, so that they can be read
on a page of either kind. SVG, or PNG where that would be large.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.search.methods import load_methods
from benchmarks.search.ours import WARM_UP
from benchmarks.search.runs import Records, Run
from benchmarks.search.scores import SOLVED
from benchmarks.search.summary import WHOLE

LARGEST_SVG = 100_000
LAST = 60
"""Evaluations shown: what everybody has."""
INK, PAPER, GRID_LINES = "#1f2430", "#fbfbfd", "#d9dce3"
OURS = "#c2185b"
COLOURS = ("#1565c0", "#2e7d32", "#ef6c00", "#6a1b9a", "#00838f", "#5d4037", "#546e7a", "#9e9d24", "#0d47a1")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)))
MARKS = (0, 0.01, SOLVED, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
Curves = dict[str, npt.NDArray[np.float64]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder with search.runs.jsonl (perhaps packed), or such a file")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    options = parser.parse_args()
    records = Records(options.results / "search.runs.jsonl" if options.results.is_dir() else options.results)
    if not records.runs:
        parser.error(f"there are no runs in {options.results}")
    options.out.mkdir(parents=True, exist_ok=True)
    for path in plotted(list(records.runs.values()), options.out):
        print(path)


def plotted(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Every figure that the runs are enough for: there has to be something to compare."""
    written = []
    for (landscape, task), curves in curves_of(runs).items():
        parts = {name: values for name, values in curves.items() if name.startswith(WHOLE)}
        others = {name: values for name, values in curves.items() if name not in parts or name == WHOLE}
        for suffix, shown in (("", others), ("-parts", parts)):
            if len(shown) > 1:
                written.append(_written(folder / f"search-{landscape}-{task}{suffix}", landscape, task, shown))
    return written


def curves_of(runs: Sequence[Run]) -> dict[tuple[str, str], Curves]:
    """By landscape and task, of each method the curves of all seeds, `seeds x evaluations`.

    A run that evaluated everything before the end stays where it was. Of a landscape that has changed since, only
    what was run last is shown.
    """
    newest = {(run["landscape"], run["seed"]): run["fingerprint"] for run in runs}
    sorted_out: dict[tuple[str, str], dict[str, dict[int, list[float]]]] = {}
    for run in runs:
        if run["fingerprint"] != newest[run["landscape"], run["seed"]]:
            continue
        curve = list(run["hypervolume" if run["task"] == "front" else "regret"])[:LAST]
        methods = sorted_out.setdefault((run["landscape"], run["task"]), {})
        known = methods.setdefault(run["method"], {})
        known[run["seed"]] = max(known.get(run["seed"], []), curve, key=len)
    return {
        key: {name: _filled(list(curves.values())) for name, curves in methods.items()}
        for key, methods in sorted_out.items()
    }


def _filled(curves: Sequence[Sequence[float]]) -> npt.NDArray[np.float64]:
    longest = max(map(len, curves))
    return np.array([[*curve, *[curve[-1]] * (longest - len(curve))] for curve in curves])


def _written(stem: Path, landscape: str, task: str, curves: Mapping[str, npt.NDArray[np.float64]]) -> Path:
    from matplotlib import rc_context

    with rc_context({"svg.fonttype": "path", "svg.hashsalt": stem.name, "path.simplify_threshold": 0.5}):
        figure = _figure(landscape, task, curves)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
        stem.with_suffix(".svg").unlink(missing_ok=True)
        stem.with_suffix(".png").unlink(missing_ok=True)
        if len(drawn.getvalue()) > LARGEST_SVG:
            figure.savefig(stem.with_suffix(".png"), dpi=110, metadata={"Software": None})
            return stem.with_suffix(".png")
    stem.with_suffix(".svg").write_bytes(drawn.getvalue())
    return stem.with_suffix(".svg")


def _figure(landscape: str, task: str, curves: Mapping[str, npt.NDArray[np.float64]]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 4.6), facecolor=PAPER, layout="constrained")
    axes = figure.subplots()
    _dress(axes, landscape, task, curves)
    sign = -1 if task == "front" else 1
    best_first = sorted(curves, key=lambda name: sign * float(np.median(curves[name][:, -1])))
    others = [name for name in best_first if name != WHOLE]
    for name in [*others[::-1], WHOLE] if WHOLE in curves else others[::-1]:
        _draw(axes, name, curves[name])
    lines, names = axes.get_legend_handles_labels()
    placed = dict(zip([name.rsplit(" (", 1)[0] for name in names], zip(lines, names, strict=True), strict=True))
    ordered = [placed[name] for name in best_first]
    legend = figure.legend(*zip(*ordered, strict=True), loc="outside right upper", frameon=False, fontsize=8.5)
    legend.set_title("best median at the end\nfirst (seeds)")
    legend.get_title().set_fontsize(8.5)
    for text in (*legend.get_texts(), legend.get_title()):
        text.set_color(INK)
    return figure


def _draw(axes: Any, name: str, values: npt.NDArray[np.float64]) -> None:
    quantiles = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
    # Steps alone: between them there is nothing to draw.
    steps = [0, *np.flatnonzero(np.diff(quantiles, axis=1).any(axis=0)) + 1, quantiles.shape[1] - 1]
    at, (low, middle, high) = np.array(steps) + 1, quantiles[:, steps]
    is_ours = name == WHOLE
    colour, style = (OURS, "-") if is_ours else _look(name)
    axes.fill_between(at, low, high, color=colour, alpha=0.22 if is_ours else 0.08, linewidth=0, step="post")
    width, order = (2.6, 5) if is_ours else (1.3, 3)
    label = f"{name} ({len(values)})"
    axes.step(at, middle, where="post", color=colour, linestyle=style, linewidth=width, zorder=order, label=label)


def _look(name: str) -> tuple[str, Any]:
    """The same colour and dashes for a method in all pictures of its kind."""
    known = [other for other in load_methods() if other.startswith(WHOLE) == name.startswith(WHOLE)]
    place = known.index(name) if name in known else len(known)
    return COLOURS[place % len(COLOURS)], DASHES[place // len(COLOURS) % len(DASHES)]


def _dress(axes: Any, landscape: str, task: str, curves: Mapping[str, npt.NDArray[np.float64]]) -> None:
    axes.set_facecolor(PAPER)
    axes.set_xlim(1, max(values.shape[1] for values in curves.values()))
    axes.set_xlabel("evaluations, warm-up included")
    if task == "front":
        axes.set_ylabel("hypervolume, relative to the true front's")
        begun = min(float(np.quantile(values[:, : WARM_UP + 1][:, -1], 0.25)) for values in curves.values())
        axes.set_ylim(max(0.0, begun - 0.1), 1.01)
    else:
        axes.set_ylabel("regret of the cheapest feasible network found")
        # Linear below the mark of a solved task: 0 has to have a place.
        axes.set_yscale("symlog", linthresh=SOLVED, linscale=0.5)
        axes.set_ylim(0, 1.1 * max(float(np.quantile(values[:, 0], 0.75)) for values in curves.values()))
        marks = [mark for mark in MARKS if mark <= axes.get_ylim()[1]]
        axes.set_yticks(marks, [f"{mark:.0%}" for mark in marks])
        axes.minorticks_off()
        axes.axhline(SOLVED, color=INK, linewidth=0.8, linestyle=":")
    axes.set_title(f"{landscape}, task {task}: median and middle half of the seeds", color=INK, fontsize=10.5)
    axes.grid(color=GRID_LINES, linewidth=0.6)
    axes.tick_params(colors=INK, labelsize=8.5)
    for part in (axes.xaxis.label, axes.yaxis.label):
        part.set_color(INK)
    for spine in axes.spines.values():
        spine.set_color(GRID_LINES)


if __name__ == "__main__":
    main()
