"""Commands that make searches move: run, resume."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.console import DataOption, JsonOption, console, errors, print_json

if TYPE_CHECKING:
    from api.installation import Installation
    from nas.domain.search import Search

OutputOption = Annotated[
    Path | None,
    typer.Option(help="When the search completes, write front.json, front.png and the winner into this folder."),
]


def run(
    spec: Annotated[Path, typer.Argument(help="A search specification, YAML or JSON.")],
    output: OutputOption = None,
    data: DataOption = None,
    check: Annotated[bool, typer.Option("--check", help="Check the specification and stop.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Submit a search, drive it and watch it. Ctrl-C pauses it; `resume` goes on."""
    from api.composition import check_spec_file, submit
    from api.installation import Installation

    installation = Installation(data)
    checked = check_spec_file(spec, installation)
    if check:
        summary = {"valid": True, "architectures_in_space": checked.space.size, "stages": list(checked.stages)}
        if as_json:
            print_json(summary)
        else:
            console.print(f"{spec} is valid: {checked.space.size:,} architectures.")
        return
    search = submit(installation, checked)
    _drive(installation, search, output, as_json)


def resume(
    search: Annotated[str, typer.Argument(help="Id of a search, or `latest`.")] = "latest",
    output: OutputOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a search that was paused, interrupted or killed."""
    from api.composition import set_intent
    from api.installation import Installation
    from nas.domain.lifecycle import Intent

    installation = Installation(data)
    found, _ = installation.search_with_trials(search)
    if not found.status.is_terminal:
        set_intent(installation, found.id, Intent.RUN)
    _drive(installation, found, output, as_json)


def _drive(installation: Installation, search: Search, output: Path | None, as_json: bool) -> None:
    from api.cli.progress import watching
    from api.composition import drive
    from api.exports import write_output
    from nas.domain.lifecycle import SearchStatus

    status = search.status
    if not status.is_terminal:
        with watching(search, quiet=as_json) as observe, _pausing(installation, search.id):
            status = drive(installation, search, observe)
    if status is SearchStatus.COMPLETED and output is not None:
        if not as_json:
            console.print("Exporting the winner ...")
        write_output(installation, search.id, output)
    _summarise(installation, search.id, output, as_json)
    if status is SearchStatus.FAILED:
        sys.exit(1)


def _summarise(installation: Installation, search_id: str, output: Path | None, as_json: bool) -> None:
    from api.cli.inspect import print_points
    from api.views import front_document, search_document

    search, trials = installation.search_with_trials(search_id)
    document = search_document(search, trials)
    if as_json:
        print_json(document)
        return
    front = front_document(search, trials, installation.latencies(search, trials))
    print_points(f"Front of {search.id}", front["points"])
    if search.failure is not None:
        errors.print(f"[bold red]The search failed:[/] {search.failure.message}")
    elif not search.status.is_terminal:
        console.print(f"Paused after {len(trials)} trials. Go on: blocksmith resume {search.id}")
    elif document["best"] is not None:
        _say_best(document["best"], len(trials), output)


def _say_best(best: dict[str, Any], trials: int, output: Path | None) -> None:
    metrics = best["metrics"]
    cost = f"{metrics['params']['mean']:,.0f} parameters, {metrics['gmacs']['mean']:.4g} GMACs"
    verdict = "Best" if best["feasible"] else "Nothing is feasible; the nearest is"
    console.print(f"{verdict} of {trials} trials: trial {best['trial']} with {cost}.")
    if output is not None:
        console.print(f"Written: {output}/front.json, {output}/front.png, {output}/winner/")


@contextmanager
def _pausing(installation: Installation, search_id: str) -> Iterator[None]:
    """Ctrl-C once asks for a pause, twice stops at once; both lose nothing."""
    from api.composition import set_intent
    from nas.domain.lifecycle import Intent

    def ask(number: int, frame: FrameType | None) -> None:
        del number, frame
        signal.signal(signal.SIGINT, signal.default_int_handler)
        errors.print("Pausing: what runs may finish. Press Ctrl-C again to stop at once; nothing is lost either way.")
        set_intent(installation, search_id, Intent.PAUSE)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    app.command()(run)
    app.command()(resume)
