"""How the command line talks: tables for people, JSON for scripts, errors that say what to do."""

from __future__ import annotations

import contextlib
import json
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.problems import FAILURE, exit_code, problem_document
from nas.errors import NasError, SpecError, TransientError

_PIPED_WIDTH = 150  # a file has no edge to wrap at

console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
errors = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _PIPED_WIDTH)


def answer(result: Any, *in_words: str | Table, as_json: bool) -> None:
    """Tell what a command came to, on standard output.

    Args:
        result: For scripts: documents of the REST interface, or plain JSON values.
        in_words: The same for people: sentences, in which paths and commands stay whole, and tables.
        as_json: Which of the two.
    """
    if as_json:
        sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False, default=_as_plain) + "\n")
        sys.stdout.flush()  # some commands go on, and a script waits for what they say
        return
    for said in in_words:
        console.print(said, soft_wrap=isinstance(said, str))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table; columns whose name ends in a blank are numbers and stand to the right."""
    made = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        number = column.endswith(" ")
        made.add_column(column.strip(), justify="right" if number else "left", overflow="fold", no_wrap=number)
    for row in rows:
        made.add_row(*(escape(cell) for cell in row))
    return made


@contextlib.contextmanager
def working(on: str, *, quiet: bool) -> Iterator[None]:
    """Show on standard error that something takes a while; nothing when `quiet` or when nobody looks."""
    if quiet or not errors.is_terminal:
        yield
        return
    with errors.status(escape(on)):
        yield


def run_guarded(program: Callable[[], object], as_json: bool) -> None:
    """Run the program; turn every error into a message and an exit code. No traceback reaches a user."""
    try:
        program()
    except NasError as error:
        report(error, as_json)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        errors.print("Interrupted.")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        report(
            TransientError(f"{where}{error.strerror or error}.", "Check the path, its permissions and the disk."),
            as_json,
        )
        sys.exit(FAILURE)
    except Exception as error:
        log = _keep(error)
        bug = NasError(f"Internal error: {type(error).__name__}.", f"This is a bug; details are in {log}.")
        report(bug, as_json)
        sys.exit(FAILURE)


def report(error: NasError, as_json: bool) -> None:
    """Show an error: JSON on standard output when asked for, else text on standard error."""
    if as_json:
        answer({"error": problem_document(error)}, as_json=True)
        return
    errors.print(f"[bold red]Error:[/] {escape(error.message)}", soft_wrap=True)
    if isinstance(error, SpecError):
        for fault in error.faults:
            errors.print(f"  [bold]{escape(fault.pointer or 'document')}[/]  {escape(fault.reason)}", soft_wrap=True)
            if fault.nearest:
                errors.print(f"      try: {escape(fault.nearest)}", soft_wrap=True)
    elif error.hint:
        errors.print(escape(error.hint), soft_wrap=True)


def _as_plain(document: Any) -> Any:
    return document.model_dump(mode="json")


def _keep(error: Exception) -> Path:
    log = Path("blocksmith-error.log").resolve()
    try:
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        return Path("(could not be written)")
    return log
