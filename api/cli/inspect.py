"""Commands that look: searches, trials, front."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.console import DataOption, JsonOption, console, print_json, print_table

SearchArgument = Annotated[str, typer.Argument(help="Id of a search, or `latest`.")]


def searches(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List all searches, newest first."""
    from api.views import search_document

    installation = _installation(data)
    documents = [search_document(*installation.search_with_trials(search.id)) for search in installation.searches()]
    if as_json:
        print_json(documents)
        return
    if not documents:
        console.print("No searches yet. Start one: blocksmith run examples/reference-demo.yaml")
        return
    rows = [
        (d["search"], d["status"], f"{d['trials']}/{d['budget']}", ", ".join(d["objectives"]), _bounds(d["bounds"]))
        for d in documents
    ]
    print_table("Searches", ("search", "status", "trials ", "minimise", "subject to"), rows)


def trials(search: SearchArgument = "latest", data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the trials of a search, in the order tried."""
    from api.views import trial_document

    installation = _installation(data)
    found, its_trials = installation.search_with_trials(search)
    latencies = installation.latencies(found, its_trials)
    documents = [trial_document(trial, found, latencies.get(trial.number)) for trial in its_trials]
    if as_json:
        print_json(documents)
        return
    print_points(f"Trials of {found.id}", documents)


def front(
    search: SearchArgument = "latest",
    plot: Annotated[Path | None, typer.Option(help="Also draw the front into this PNG or SVG file.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the front of a search: what no other trial beats."""
    from api.plots import plot_front
    from api.views import front_document

    installation = _installation(data)
    found, its_trials = installation.search_with_trials(search)
    document = front_document(found, its_trials, installation.latencies(found, its_trials))
    if plot is not None:
        plot_front(found, its_trials, plot)
    if as_json:
        print_json(document)
        return
    print_points(f"Front of {found.id} ({_bounds(document['bounds'])})", document["points"])
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


def _bounds(bounds: dict[str, float]) -> str:
    return ", ".join(f"{name} ≤ {value:g}" for name, value in bounds.items()) or "no bounds"


def _installation(data: Path | None) -> Any:
    from api.installation import Installation

    return Installation(data)


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    for command in (searches, front, trials):
        app.command()(command)
