"""Commands about devices."""

from __future__ import annotations

import typer

app = typer.Typer(help="Look at devices.", no_args_is_help=True)
