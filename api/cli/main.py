"""Assembles the commands and guards them."""

from __future__ import annotations

import sys

import typer

from api.cli import administer, device, hardware, insight, inspect, measure, model, run, serve, steer, teacher, upkeep
from api.cli.console import run_guarded

app = typer.Typer(
    name="blocksmith",
    help="Turn a large diffusion model into a family of small ones that run in real time on edge devices.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
run.register(app)
steer.register(app)
inspect.register(app)
insight.register(app)
hardware.register(app)
model.register(app)
serve.register(app)
upkeep.register(app)
measure.register(device.app)
device.register(app)
app.add_typer(administer.keys, name="key", rich_help_panel="Administration")
app.add_typer(administer.projects, name="project", rich_help_panel="Administration")
app.add_typer(teacher.app, name="teacher", rich_help_panel="Models")


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `blocksmith`."""
    given = sys.argv[1:] if arguments is None else arguments
    run_guarded(lambda: app(args=given, prog_name="blocksmith"), as_json="--json" in given)
