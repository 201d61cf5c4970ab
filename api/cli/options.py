"""What several commands ask for alike, each declared once: whom to talk to, about which search, in what form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of database and artifacts (default: .blocksmith, or $BLOCKSMITH_DATA)."),
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", envvar="BLOCKSMITH_URL", help="A server (default: the one that serves --data, if any)."),
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", envvar="BLOCKSMITH_KEY", help="API key for the server; better given as $BLOCKSMITH_KEY."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of tables.")]
SearchArgument = Annotated[str, typer.Argument(help="Id of a search, or `latest`.")]
