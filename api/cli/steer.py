"""Commands that steer searches: pause, cancel, bounds, clone, delete, restore."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.connection import Place
from api.cli.console import answer, table
from api.cli.options import DataOption, JsonOption, KeyOption, SearchArgument, UrlOption
from nas.errors import Fault, SpecError

if TYPE_CHECKING:
    from api.schemas.searches import BoundsDocument, SearchDocument


def pause(
    search: SearchArgument = "latest",
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pause a search: what runs may finish, nothing new begins. `resume` goes on."""
    _set_intent("pause", search, Place(data, url, key), as_json)


def cancel(
    search: SearchArgument = "latest",
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a search for good; its trials stay."""
    _set_intent("cancel", search, Place(data, url, key), as_json)


def bounds(
    search: SearchArgument = "latest",
    moved: Annotated[
        list[str] | None,
        typer.Argument(metavar="[METRIC=VALUE]...", help="New bounds; METRIC= drops one. None: show all versions."),
    ] = None,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a search's bounds, or move some: everything is judged anew at once, nothing is measured again."""
    changes = _bounds(moved or [])
    with Place(data, url, key).client() as client:
        found = client.search(search)
        if changes:
            constraints = {**found.bounds, **changes}
            kept = {name: value for name, value in constraints.items() if value is not None}
            client.move_bounds(found.search, kept, base_version=found.bounds_version)
        versions = client.bounds(found.search)
    rows = [(str(v.version), ", ".join(v.objectives), _constraints_in_words(v), v.by) for v in versions]
    title = f"Bounds of {found.search}, the last in force"
    answer(versions, table(title, ("version ", "minimise", "subject to", "by"), rows), as_json=as_json)


def clone(
    search: SearchArgument = "latest",
    change: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=VALUE", help="A field of the spec to change, for instance budget.trials=80."),
    ] = None,
    warm_start: Annotated[
        bool, typer.Option("--warm-start", help="Try first what was best in the original.")
    ] = False,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Submit an earlier search's spec again, with changes; blocks distilled already are not distilled again."""
    with Place(data, url, key).client() as client:
        made = client.clone(
            search, _changes(change or []), warm_start=warm_start, idempotency_key=secrets.token_hex(16)
        )
    _tell(made, f"is submitted as a clone of {made.parent}", as_json)


def delete(
    search: Annotated[str, typer.Argument(help="Id of a search.")],
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a search that does not run into the trash; `restore` brings it back."""
    with Place(data, url, key).client() as client:
        client.delete(search)
    gone = f"Search {search} is in the trash. Bring it back: blocksmith restore {search}"
    answer({"deleted": search}, gone, as_json=as_json)


def restore(
    search: Annotated[str, typer.Argument(help="Id of a search in the trash.")],
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a search back from the trash."""
    with Place(data, url, key).client() as client:
        restored = client.restore(search)
    _tell(restored, "is out of the trash", as_json)


def _set_intent(intent: str, search: str, place: Place, as_json: bool) -> None:
    with place.client() as client:
        found = client.set_intent(client.search(search).search, intent)
    _tell(found, {"pause": "is asked to pause", "cancel": "is asked to end"}[intent], as_json)


def _tell(search: SearchDocument, what: str, as_json: bool) -> None:
    answer(search, f"Search {search.search} {what}.", as_json=as_json)


def _bounds(moved: list[str]) -> dict[str, float | None]:
    """`METRIC=VALUE` texts as numbers; None drops the bound.

    Raises:
        SpecError: Naming every text that is none.
    """
    bounds: dict[str, float | None] = {}
    faults = []
    for text in moved:
        metric, equals, value = text.partition("=")
        try:
            bounds[metric.strip()] = float(value) if value.strip() else None
        except ValueError:
            equals = ""
        if not equals or not metric.strip():
            faults.append(Fault(text, "must read METRIC=VALUE", "noise_mse_relative=0.05"))
    if faults:
        raise SpecError(tuple(faults))
    return bounds


def _changes(texts: list[str]) -> dict[str, Any]:
    """`a.b=VALUE` texts as a merge patch; values are JSON, and text where they are not.

    Raises:
        SpecError: Naming every text that is no change.
    """
    patch: dict[str, Any] = {}
    faults = []
    for text in texts:
        path, equals, value = text.partition("=")
        *parents, last = path.strip().split(".")
        place: Any = patch
        for parent in parents:
            place = place.setdefault(parent, {}) if isinstance(place, dict) else None
        if not equals or not last or not isinstance(place, dict):
            faults.append(
                Fault(text, "must read FIELD=VALUE, and no other change may stand in its way", "budget.trials=80")
            )
            continue
        try:
            place[last] = json.loads(value)
        except ValueError:
            place[last] = value
    if faults:
        raise SpecError(tuple(faults))
    return patch


def _constraints_in_words(version: BoundsDocument) -> str:
    return ", ".join(f"{bound.metric} ≤ {bound.at_most:g}" for bound in version.constraints) or "no bounds"


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    for command in (pause, cancel, bounds, clone, delete, restore):
        app.command(rich_help_panel="Searches")(command)
