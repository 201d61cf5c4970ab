"""Commands on the data directory itself: backup, restore-backup, prune."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import answer
from api.cli.options import DataOption, JsonOption

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
    told = [f"{folder} holds {made.files} files{' and the database' if made.database else ''}."]
    if not made.database:
        told.append("The database is not in it: dump the server with pg_dump.")
    answer(made, *told, *_damage(made.damaged), as_json=as_json)


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
    told = f"{settings.data} holds {restored.files} files. Go on: blocksmith up --data {settings.data}"
    answer(restored, told, *_damage(restored.damaged), as_json=as_json)


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
    verb = "Would delete" if dry_run else "Deleted"
    what = f"{len(gone.searches)} searches, {len(gone.exports)} exports, {gone.artifacts} artifacts"
    told = f"{verb} {what}, {gone.leftovers} leftovers: {gone.freed_bytes / 1e6:,.1f} MB."
    answer(gone, told, as_json=as_json)


def _damage(damaged: tuple[str, ...]) -> list[str]:
    if not damaged:
        return []
    few = ", ".join(digest[:12] for digest in damaged[:_FEW]) + (", ..." if len(damaged) > _FEW else "")
    return [
        f"[yellow]{len(damaged)} artifacts are missing or damaged[/] ({few}). "
        "Blocks are distilled again when a search needs them."
    ]


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    app.command(rich_help_panel="Service")(backup)
    app.command("restore-backup", rich_help_panel="Service")(restore_backup)
    app.command(rich_help_panel="Service")(prune)
