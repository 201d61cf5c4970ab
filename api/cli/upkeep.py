"""Commands on the data directory itself: backup, restore-backup, prune."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import DataOption, JsonOption, console, print_json

_FEW: int = 5


def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder; on the same disk files are linked, not copied.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy database, artifacts and results while the service runs. PostgreSQL is dumped by its own pg_dump, first."""
    from api.installation import Installation
    from storage.backup import back_up

    installation = Installation(data)
    made = back_up(installation.database, installation.workspace, folder)
    if as_json:
        print_json(made.model_dump(mode="json"))
        return
    console.print(f"{folder} holds {made.files} files{' and the database' if made.database else ''}.", soft_wrap=True)
    if not made.database:
        console.print("The database is not in it: dump the server with pg_dump.", soft_wrap=True)
    _say_damaged(made.damaged)


def restore_backup(
    folder: Annotated[Path, typer.Argument(help="A folder made by `blocksmith backup`.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new data directory of a backup. Nothing is ever overwritten."""
    from api.installation import Installation
    from storage.backup import restore

    settings = Installation(data).settings
    restored = restore(folder, settings.data)
    if as_json:
        print_json(restored.model_dump(mode="json"))
        return
    console.print(f"{settings.data} holds {restored.files} files. Go on: blocksmith up --data {settings.data}")
    _say_damaged(restored.damaged)


def prune(
    export_days: Annotated[
        float | None, typer.Option(min=0, help="Also delete exports older than this (default: keep all).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete what nothing needs: old trash, unreferenced artifacts, remains of killed writers. Safe while it runs."""
    from api.installation import Installation
    from storage.retention import RetentionRules
    from storage.retention import prune as throw_away

    installation = Installation(data)
    rules = RetentionRules(trash_days=installation.settings.trash_days, export_days=export_days)
    gone = throw_away(installation.database, installation.workspace, rules, time.time(), dry_run=dry_run)
    if as_json:
        print_json(gone.model_dump(mode="json"))
        return
    verb = "Would delete" if dry_run else "Deleted"
    what = f"{len(gone.searches)} searches, {len(gone.exports)} exports, {gone.artifacts} artifacts"
    console.print(f"{verb} {what}, {gone.leftovers} leftovers: {gone.freed_bytes / 1e6:,.1f} MB.", soft_wrap=True)


def _say_damaged(damaged: tuple[str, ...]) -> None:
    if damaged:
        few = ", ".join(digest[:12] for digest in damaged[:_FEW]) + (", ..." if len(damaged) > _FEW else "")
        console.print(
            f"[yellow]{len(damaged)} artifacts are missing or damaged[/] ({few}). "
            "Blocks are distilled again when a search needs them.",
            soft_wrap=True,
        )


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    app.command(rich_help_panel="Service")(backup)
    app.command("restore-backup", rich_help_panel="Service")(restore_backup)
    app.command(rich_help_panel="Service")(prune)
