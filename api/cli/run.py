"""Commands that make searches move: run, submit, watch, resume."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.connection import Place
from api.cli.console import answer
from api.cli.options import DataOption, JsonOption, KeyOption, SearchArgument, UrlOption

if TYPE_CHECKING:
    from api.schemas.searches import Validation

SpecArgument = Annotated[Path, typer.Argument(help="A search specification, YAML or JSON.")]
OutputOption = Annotated[
    Path | None,
    typer.Option(help="When the search completes, write front.json, front.png and the winner into this folder."),
]
CheckOption = Annotated[bool, typer.Option("--check", help="Check the specification and stop.")]


def run(
    spec: SpecArgument,
    output: OutputOption = None,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    check: CheckOption = False,
    as_json: JsonOption = False,
) -> None:
    """Submit a search, drive it and watch it. Ctrl-C pauses it; `resume` goes on.

    Needs no server: this process drives the search. Where one serves the data directory, it does the work.
    """
    from api.cli.following import follow
    from api.cli.submission import check_spec, submit_spec

    place = Place(data, url, key)
    validation = check_spec(place, spec)
    if check:
        _show_validation(spec, validation, as_json)
        return
    with place.client() as client:
        search = submit_spec(client, spec)
        follow(place, client, search, output, as_json=as_json, pausing=True)


def submit(
    spec: SpecArgument,
    wait: Annotated[bool, typer.Option("--wait", help="Watch until it ends; Ctrl-C only stops watching.")] = False,
    output: OutputOption = None,
    warm_start: Annotated[str, typer.Option(help="Try first what was best in this earlier search.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Try one random architecture end to end, and estimate the whole.")
    ] = False,
    project: Annotated[str, typer.Option(help="Project, for a key of the whole installation.")] = "",
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    check: CheckOption = False,
    as_json: JsonOption = False,
) -> None:
    """Hand a search to the service and return; with --wait or --output, watch it to its end."""
    from api.cli.following import follow
    from api.cli.submission import check_spec, submit_spec

    place = Place(data, url, key)
    if check:
        _show_validation(spec, check_spec(place, spec), as_json)
        return
    with place.client() as client:
        search = submit_spec(client, spec, warm_start=warm_start, dry_run=dry_run, project=project)
        if wait or output is not None:
            follow(place, client, search, output, as_json=as_json, pausing=False)
            return
        idle = ("No server runs here; start one: blocksmith up",) if place.server() is None else ()
        answer(
            search,
            f"Search [bold]{search.search}[/] is submitted: {search.architectures_in_space:,} architectures.",
            f"Watch it: blocksmith watch {search.search}",
            *idle,
            as_json=as_json,
        )


def watch(
    search: SearchArgument = "latest",
    output: OutputOption = None,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Watch a search to its end, also across restarts of the server. Ctrl-C only stops watching."""
    from api.cli.following import follow

    place = Place(data, url, key)
    with place.client() as client:
        found = client.search(search)
        follow(place, client, found, output, as_json=as_json, pausing=False)


def resume(
    search: SearchArgument = "latest",
    output: OutputOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="With a server: watch it to its end.")] = False,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a search that was paused, interrupted or killed. Without a server, drive it here."""
    from api.cli.following import follow

    place = Place(data, url, key)
    with place.client() as client:
        found = client.search(search)
        if not found.status.is_terminal:
            found = client.set_intent(found.search, "run")
        if wait or output is not None or place.server() is None:
            follow(place, client, found, output, as_json=as_json, pausing=place.server() is None)
        elif found.status.is_terminal:
            told = (
                f"Search {found.search} is {found.status.value}. Clone it to go on: blocksmith clone {found.search}"
            )
            answer(found, told, as_json=as_json)
        else:
            goes_on = f"Search {found.search} goes on. Watch it: blocksmith watch {found.search}"
            answer(found, goes_on, as_json=as_json)


def _show_validation(spec: Path, validation: Validation, as_json: bool) -> None:
    size = validation.architectures_in_space
    answer(validation, f"{spec} is valid: {size:,} architectures.", as_json=as_json)


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    for command in (run, submit, watch, resume):
        app.command(rich_help_panel="Searches")(command)
