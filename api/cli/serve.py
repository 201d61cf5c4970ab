"""Commands that serve: up, down, and the two processes that `up` keeps running."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.console import answer, console, errors
from api.cli.options import DataOption, JsonOption

if TYPE_CHECKING:
    from api.settings import Settings
    from api.up.record import ServerRecord

HostOption = Annotated[
    str | None, typer.Option(help="Address to listen at (default: 127.0.0.1: this machine alone).")
]
PortOption = Annotated[int | None, typer.Option(min=0, max=65535, help="Port (default: 8484; 0 takes a free one).")]
LifelineOption = Annotated[bool, typer.Option("--lifeline", hidden=True, help="Stop when standard input ends.")]


def up(
    data: DataOption = None,
    host: HostOption = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port (default: 8484 or the next free one; 0 takes any free one)."),
    ] = None,
    slots: Annotated[int | None, typer.Option(min=0, help="Jobs at once (default: as many as cores).")] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Run in the background; `blocksmith down` stops it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Serve REST, page and searches from this machine until Ctrl-C. Interrupted searches go on by themselves.

    A data directory has one service: with --detach, one that runs already is left alone and shown.
    """
    from api.up.detach import start_detached
    from api.up.local_key import read_local_key
    from api.up.record import running_server
    from api.up.service import run_service

    settings = _settings(data, host=host, port=port, slots=slots)

    def announce(record: ServerRecord, key: str | None) -> None:
        _announce(record, key, settings.data, detached=detach, as_json=as_json)

    if not detach:
        asked_for = "port" in settings.model_fields_set
        run_service(settings, announce, _reporter(settings), must_have_port=asked_for)
        return
    given = {"--host": host, "--port": port, "--slots": slots}
    arguments = [text for name, value in given.items() if value is not None for text in (name, str(value))]
    record = running_server(settings.data) or start_detached(settings.data, arguments)
    announce(record, read_local_key(settings.data))


def down(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Stop what `up` started here: running jobs may finish, everything else waits for the next `up`."""
    from api.up.detach import stop_detached
    from api.up.record import running_server

    settings = _settings(data)
    record = running_server(settings.data)
    if record is not None:
        if not as_json:
            errors.print(f"Stopping {record.url}; running jobs may finish ({settings.drain_s:g} s).")
        stop_detached(record, settings.drain_s)
    idle = (f"Nothing runs on {settings.data}.",) if record is None else ()
    answer({"stopped": record.url if record else None}, *idle, as_json=as_json)


def api(
    data: DataOption = None,
    host: HostOption = None,
    port: PortOption = None,
    lifeline: LifelineOption = False,
    listening: Annotated[int | None, typer.Option(hidden=True, help="Descriptor of an open socket.")] = None,
) -> None:
    """Serve REST and the page alone; any number may run. Somewhere a `coordinator` must drive the searches."""
    import socket

    from api.serving import serve
    from api.up.listener import listen

    settings = _settings(data, host=host, port=port)
    opened = listen(settings.host, settings.port) if listening is None else socket.socket(fileno=listening)
    if lifeline:
        _hold_lifeline()
    serve(settings, opened)


def coordinator(
    data: DataOption = None,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Serve Prometheus metrics on this port; 0: do not.")
    ] = 0,
    lifeline: LifelineOption = False,
) -> None:
    """Drive searches until SIGTERM; any number may run, and each search has one at a time."""
    from api.coordinator import run_coordinator

    settings = _settings(data)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if lifeline:
        _hold_lifeline()
    run_coordinator(settings, stop, metrics_port=metrics_port)


def _announce(record: ServerRecord, key: str | None, data: Path, *, detached: bool, as_json: bool) -> None:
    from api.up.service import LOGS, page_link

    # The link carries a key: it goes to whoever asked for it, and never into a log.
    is_shown = detached or as_json or console.is_terminal
    link = page_link(record.url, key if is_shown else None)
    how = f"blocksmith down --data {data}" if detached or not console.is_terminal else "Ctrl-C"
    answer(
        {"url": record.url, "page": link, "pid": record.pid, "data": str(data.resolve())},
        f"Blocksmith runs at {record.url}",
        f"[bold]  page  {link}[/]",
        f"  data  {data.resolve()}\n  logs  {data.resolve() / LOGS}\n  stop  {how}",
        as_json=as_json,
    )


def _reporter(settings: Settings) -> Callable[[str], None]:
    """Where news of the processes goes: to the terminal, or without one to the log."""
    if errors.is_terminal:
        return lambda news: errors.print(news, soft_wrap=True)
    from api.logs import configure_logging

    configure_logging(settings.log_format, settings.log_level)
    return logging.getLogger("blocksmith.up").warning


def _settings(
    data: Path | None, *, host: str | None = None, port: int | None = None, slots: int | None = None
) -> Settings:
    from api.settings import read_settings

    given = {"data": data, "host": host, "port": port, "slots": slots}
    return read_settings().model_copy(update={name: value for name, value in given.items() if value is not None})


def _hold_lifeline() -> None:
    from api.up.lifeline import hold

    hold()


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    for command in (up, down, api, coordinator):
        app.command(rich_help_panel="Service")(command)
