"""Commands about who may do what: keys and projects."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.cli.connection import Place
from api.cli.console import answer, table
from api.cli.options import DataOption, JsonOption, KeyOption, UrlOption
from nas.errors import Fault, SpecError, nearest

if TYPE_CHECKING:
    from rich.table import Table

    from api.schemas.administration import KeyDocument, ProjectDocument

keys = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
Role = Literal["reader", "submitter", "admin"]
projects = typer.Typer(help="Make projects, and say what each may use.", no_args_is_help=True)

ProjectOption = Annotated[
    str | None, typer.Option(help="Project of the key (default: the whole installation, or your key's project).")
]
TrialsOption = Annotated[int | None, typer.Option(min=0, help="Trials, summed over the budgets of its searches.")]
ParallelismOption = Annotated[int | None, typer.Option(min=0, help="Jobs at once.")]
StorageOption = Annotated[int | None, typer.Option(min=0, help="Bytes of artifacts.")]


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    role: Annotated[Role, typer.Option(help="What it may do.")] = "reader",
    project: ProjectOption = None,
    days: Annotated[float | None, typer.Option(min=0.001, help="Days until it expires (default: never).")] = None,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. Its secret is printed this once and stored nowhere."""
    expires_at = None if days is None else time.time() + days * 86_400
    with Place(data, url, key).client() as client:
        made = client.create_key(name, role, project=project, expires_at=expires_at)
    answer(
        made,
        f"Key {made.key} ({made.role} of {made.project or 'the whole installation'}):",
        f"[bold]{made.token}[/]",
        "Keep it now: it is not shown again. Use it: export BLOCKSMITH_KEY=...",
        as_json=as_json,
    )


@keys.command("list")
def list_keys(
    project: ProjectOption = None,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List keys, without their secrets."""
    with Place(data, url, key).client() as client:
        found = client.keys(project)
    rows = [(k.key, k.name, k.role, k.project or "(all)", _key_state(k)) for k in found]
    answer(found, table("Keys", ("key", "name", "role", "project", "state"), rows), as_json=as_json)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="Id of a key: the part between the underscores.")],
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key worthless, at once and for good."""
    with Place(data, url, key).client() as client:
        client.revoke_key(key_id)
    answer({"revoked": key_id}, f"Key {key_id} is revoked.", as_json=as_json)


@projects.command("create")
def create_project(
    project: Annotated[str, typer.Argument(help="Id: lower-case letters, digits, hyphens.")],
    trials: TrialsOption = None,
    parallelism: ParallelismOption = None,
    storage_bytes: StorageOption = None,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a project: a team's corner that no other project sees."""
    with Place(data, url, key).client() as client:
        made = client.create_project(project, trials=trials, parallelism=parallelism, storage_bytes=storage_bytes)
    answer([made], _usage(f"Project {made.project} is made", [made]), as_json=as_json)


@projects.command("list")
def list_projects(
    data: DataOption = None, url: UrlOption = None, key: KeyOption = None, as_json: JsonOption = False
) -> None:
    """List projects with what they use and may use."""
    with Place(data, url, key).client() as client:
        found = client.projects()
    answer(found, _usage("Projects", found), as_json=as_json)


@projects.command("quota")
def set_quota(
    project: Annotated[str, typer.Argument(help="Id of the project.")],
    trials: TrialsOption = None,
    parallelism: ParallelismOption = None,
    storage_bytes: StorageOption = None,
    lift: Annotated[
        list[str] | None, typer.Option(help="Remove a limit: trials, parallelism or storage_bytes.")
    ] = None,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a project may use; whatever is left out stays as it is."""
    given = {"trials": trials, "parallelism": parallelism, "storage_bytes": storage_bytes}
    unknown = [Fault("--lift", f"there is no limit named {name!r}", nearest(name, given)) for name in lift or []]
    if faults := tuple(fault for fault, name in zip(unknown, lift or [], strict=True) if name not in given):
        raise SpecError(faults)
    quota = {name: value for name, value in given.items() if value is not None or name in (lift or [])}
    with Place(data, url, key).client() as client:
        changed = client.set_quota(project, **quota)
    answer([changed], _usage(f"Quota of {changed.project}", [changed]), as_json=as_json)


def _usage(title: str, found: list[ProjectDocument]) -> Table:
    rows = [
        (
            project.project,
            str(project.usage.searches),
            _used(project.usage.trials_reserved, project.quota.trials),
            _used(project.usage.running, project.quota.parallelism),
            _used(project.usage.storage_bytes, project.quota.storage_bytes),
        )
        for project in found
    ]
    return table(title, ("project", "searches ", "trials ", "running ", "bytes "), rows)


def _used(used: int, allowed: int | None) -> str:
    return f"{used:,}" if allowed is None else f"{used:,}/{allowed:,}"


def _key_state(key: KeyDocument) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "valid"
    left_s = key.expires_at - time.time()
    return "expired" if left_s <= 0 else f"expires in {left_s / 86_400:.1f} days"
