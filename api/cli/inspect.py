"""Commands that look: searches, trials, front."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.connection import KeyOption, Place, UrlOption
from api.cli.console import DataOption, JsonOption, console, print_json, print_table

SearchArgument = Annotated[str, typer.Argument(help="Id of a search, or `latest`.")]


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
        documents = [search.model_dump(mode="json") for search in client.searches(**given)]
    if as_json:
        print_json(documents)
        return
    if not documents:
        nothing = "No such searches." if given else "No searches yet. Start one: "
        console.print(nothing if given else f"{nothing}blocksmith run examples/reference-demo.yaml")
        return
    rows = [
        (
            d["search"],
            d["status"],
            f"{d['trials']}/{d['budget']}",
            ", ".join(d["objectives"]),
            shown_bounds(d["bounds"]),
        )
        for d in documents
    ]
    print_table("Searches", ("search", "status", "trials ", "minimise", "subject to"), rows)


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
        documents = [trial.model_dump(mode="json") for trial in client.trials(found.search)]
    if as_json:
        print_json(documents)
        return
    print_points(f"Trials of {found.search}", documents)


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
    document = shown.model_dump(mode="json")
    if as_json:
        print_json(document)
        return
    print_points(f"Front of {found.search} ({shown_bounds(document['bounds'])})", document["points"])
    if plot is not None:
        console.print(f"Drawn into {plot}")


def print_points(title: str, points: list[dict[str, Any]]) -> None:
    """A table of trials: cost, fidelity, and which stages differ from the teacher."""
    if not points:
        console.print(f"{title}: nothing measured yet.")
        return
    present = [name for name in _COLUMNS if any(name in point["metrics"] for point in points)]
    rows = []
    for point in points:
        shown = [_COLUMNS[name][1](point["metrics"][name]) if name in point["metrics"] else "" for name in present]
        changed = " ".join(f"{s}={v}" for s, v in point["architecture"].items() if v != "teacher") or "the teacher"
        verdict = "yes" if point["feasible"] else point.get("status", "no").replace("completed", "no")
        rows.append((str(point["trial"]), *shown, verdict, changed))
    columns = ("trial ", *(_COLUMNS[name][0] + " " for name in present), "ok", "architecture")
    print_table(title, columns, rows)


_COLUMNS: dict[str, tuple[str, Any]] = {
    "params": ("params", lambda m: f"{m['mean'] / 1e6:.3f}M"),
    "gmacs": ("GMACs", lambda m: f"{m['mean']:.4g}"),
    "table_latency_ms": ("table ms", lambda m: f"{m['mean']:.2f}"),
    "latency_ms": ("ms", lambda m: f"{m['mean']:.2f}"),
    "noise_mse_relative": ("rel. noise MSE", lambda m: f"{m['mean']:.4f} ±{m['sem']:.4f}"),
    "feature_distance": ("feature", lambda m: f"{m['mean']:.4f}"),
}


def shown_bounds(bounds: dict[str, float]) -> str:
    """Bounds in one line."""
    return ", ".join(f"{name} ≤ {value:g}" for name, value in bounds.items()) or "no bounds"


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    app.command(rich_help_panel="Searches")(searches)
    for command in (front, trials):
        app.command(rich_help_panel="Results")(command)
