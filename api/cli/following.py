"""Follows one search to its end: driven in this process, or by a server that is watched."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from api.cli.connection import Place
from api.cli.console import answer, console, errors
from api.cli.inspect import points_in_words
from api.cli.progress import Draw, watching

if TYPE_CHECKING:
    from api.client import Client
    from api.schemas.searches import SearchDocument
    from api.schemas.trials import TrialDocument


def follow(
    place: Place, client: Client, search: SearchDocument, output: Path | None, *, as_json: bool, pausing: bool
) -> None:
    """Show a search's progress until it ends or, when `pausing`, until it is paused; then sum up.

    Exits with 1 if the search failed.

    Args:
        place: Without a server there, this process drives the search.
        client: Of that place.
        search: As it stands.
        output: Where to write front and winner of a completed search; None writes nothing.
        as_json: Print the search as JSON and no progress.
        pausing: Whether Ctrl-C pauses the search instead of leaving it alone.
    """
    from nas.domain.lifecycle import SearchStatus

    server = place.server()
    if not search.status.is_terminal:
        with watching(search, quiet=as_json) as draw:
            if server is None:
                with _pausing(client, search.search):
                    _drive(place, search.search, draw)
            elif pausing:
                with _pausing(client, search.search):
                    _watch(client, search, draw, until_paused=True)
            else:
                _watch(client, search, draw, until_paused=False)
    search = client.search(search.search)
    if search.status is SearchStatus.COMPLETED and output is not None:
        from api.cli.output import write_output

        if not as_json:
            console.print("Exporting the winner ...")
        write_output(place, client, search, output)
    _sum_up(client, search, output, as_json)
    if search.status is SearchStatus.FAILED:
        sys.exit(1)


def _drive(place: Place, search_id: str, draw: Draw) -> None:
    from api.composition import drive

    installation = place.installation
    drive(installation, installation.search(search_id), draw)


def _watch(client: Client, search: SearchDocument, draw: Draw, *, until_paused: bool) -> None:
    for event in client.events(search.search, after=search.last_event, follow=True):
        draw(event)
        if until_paused and event.kind == "search" and event.facts.get("status") == "paused":
            return


def _sum_up(client: Client, search: SearchDocument, output: Path | None, as_json: bool) -> None:
    if as_json:
        answer(search, as_json=True)
        return
    front = client.front(search.search)
    console.print(points_in_words(f"Front of {search.search}", front.points))
    if search.failure is not None:
        errors.print(f"[bold red]The search failed:[/] {search.failure.message}")
    elif not search.status.is_terminal:
        how = "Paused" if search.intent.value == "pause" else "Stopped watching"
        console.print(f"{how} after {search.trials} trials. Go on: blocksmith resume {search.search}", soft_wrap=True)
    elif search.best is not None:
        _say_best(search.best, search.trials, output)


def _say_best(best: TrialDocument, trials: int, output: Path | None) -> None:
    metrics = best.metrics
    cost = f"{metrics['params'].mean:,.0f} parameters, {metrics['gmacs'].mean:.4g} GMACs"
    verdict = "Best" if best.feasible else "Nothing is feasible; the nearest is"
    console.print(f"{verdict} of {trials} trials: trial {best.trial} with {cost}.")
    if output is not None:
        console.print(f"Written: {output}/front.json, {output}/front.png, {output}/winner/", soft_wrap=True)


@contextmanager
def _pausing(client: Client, search_id: str) -> Iterator[None]:
    """Ctrl-C once asks for a pause, twice stops at once; both lose nothing."""

    def ask(number: int, frame: FrameType | None) -> None:
        del number, frame
        signal.signal(signal.SIGINT, signal.default_int_handler)
        errors.print("Pausing: what runs may finish. Press Ctrl-C again to stop at once; nothing is lost either way.")
        # In a thread: whatever this handler interrupts may hold the database for itself.
        threading.Thread(target=client.set_intent, args=(search_id, "pause"), daemon=True).start()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
