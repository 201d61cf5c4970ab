"""Commands that look: searches, trials, front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.connection import Place
from api.cli.console import answer, table
from api.cli.options import DataOption, JsonOption, KeyOption, SearchArgument, UrlOption

if TYPE_CHECKING:
    from rich.table import Table

    from api.schemas.base import MeasurementDocument
    from api.schemas.fronts import FrontPoint
    from api.schemas.searches import SearchDocument
    from api.schemas.trials import TrialDocument


def searches(
    status: Annotated[str, typer.Option(help="Only searches in this status.")] = "",
    name: Annotated[str, typer.Option(help="Only searches whose name contains this.")] = "",
    trash: Annotated[bool, typer.Option("--trash", help="Those in the trash instead.")] = False,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List searches, newest first."""
    filters: dict[str, Any] = {"status": status or None, "name": name or None, "trash": trash or None}
    with Place(data, url, key).client() as client:
        given = {field: value for field, value in filters.items() if value is not None}
        found = list(client.searches(**given))
    nothing = (
        "No such searches." if given else "No searches yet. Start one: blocksmith run examples/reference-demo.yaml"
    )
    answer(found, _listed(found) if found else nothing, as_json=as_json)


def trials(
    search: SearchArgument = "latest",
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the trials of a search, in the order tried."""
    with Place(data, url, key).client() as client:
        found = client.search(search)
        tried = list(client.trials(found.search))
    answer(tried, points_in_words(f"Trials of {found.search}", tried), as_json=as_json)


def front(
    search: SearchArgument = "latest",
    plot: Annotated[Path | None, typer.Option(help="Also draw the front into this PNG or SVG file.")] = None,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the front of a search: what no other trial beats."""
    from api.plots import plot_front

    with Place(data, url, key).client() as client:
        found = client.search(search)
        shown = client.front(found.search)
        if plot is not None:
            plot_front(found, shown, client.trials(found.search), plot)
    title = f"Front of {found.search} ({_bounds_in_words(shown.bounds)})"
    drawn = () if plot is None else (f"Drawn into {plot}",)
    cut = (f"{shown.stopped_early} more were stopped early, clearly beyond a bound.",) if shown.stopped_early else ()
    answer(shown, points_in_words(title, shown.points), *cut, *drawn, as_json=as_json)


def points_in_words(title: str, points: Sequence[FrontPoint | TrialDocument]) -> Table | str:
    """A table of trials: cost, fidelity, and which stages differ from the teacher."""
    if not points:
        return f"{title}: nothing measured yet."
    order = list(_COLUMNS)
    named = {name: column for point in points for name in point.metrics if (column := _column(name)) is not None}
    # A further device's latency stands behind the first one's.
    present = sorted(named, key=lambda name: (max(order.index(own) for own in order if name.startswith(own)), name))
    rows = []
    for point in points:
        shown = [named[name][1](point.metrics[name]) if name in point.metrics else "" for name in present]
        changed = " ".join(f"{s}={v}" for s, v in point.architecture.items() if v != "teacher") or "the teacher"
        rows.append((str(point.trial), *shown, _verdict(point), changed))
    columns = ("trial ", *(named[name][0] + " " for name in present), "ok", "architecture")
    return table(title, columns, rows)


_COLUMNS: dict[str, tuple[str, Callable[[MeasurementDocument], str]]] = {
    "params": ("params", lambda m: f"{m.mean / 1e6:.3f}M"),
    "gmacs": ("GMACs", lambda m: f"{m.mean:.4g}"),
    "table_latency_ms": ("table ms", lambda m: f"{m.mean:.2f}"),
    "latency_ms": ("ms", lambda m: f"{m.mean:.2f}"),
    "noise_mse_relative": ("rel. noise MSE", lambda m: f"{m.mean:.4f} ±{m.sem:.4f}"),
    "feature_distance": ("feature", lambda m: f"{m.mean:.4f}"),
}


def _column(metric: str) -> tuple[str, Callable[[MeasurementDocument], str]] | None:
    """Heading and text of a metric; of further devices the heading says which."""
    for name in ("table_latency_ms", "latency_ms"):
        if metric.startswith(f"{name}_"):
            heading, text = _COLUMNS[name]
            return f"{heading}, {metric.removeprefix(f'{name}_').replace('_', '-')}", text
    return _COLUMNS.get(metric)


def _verdict(point: FrontPoint | TrialDocument) -> str:
    status = getattr(point, "status", None)  # a point of the front has none: it was completed
    if point.feasible:
        return "yes"
    if (share := getattr(point, "share", 1.0)) < 1:
        return f"stopped at {100 * share:.3g} %"
    return "no" if status is None or status.value == "completed" else str(status.value)


def _listed(found: list[SearchDocument]) -> Table:
    rows = [
        (s.search, s.status.value, f"{s.trials}/{s.budget}", ", ".join(s.objectives), _bounds_in_words(s.bounds))
        for s in found
    ]
    return table("Searches", ("search", "status", "trials ", "minimise", "subject to"), rows)


def _bounds_in_words(bounds: dict[str, float]) -> str:
    return ", ".join(f"{name} ≤ {value:g}" for name, value in bounds.items()) or "no bounds"


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    app.command(rich_help_panel="Searches")(searches)
    for command in (front, trials):
        app.command(rich_help_panel="Results")(command)
