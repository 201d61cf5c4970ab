"""Writes what a search found: front, picture, winner."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.cli.connection import Place
from nas.errors import EvaluationError

if TYPE_CHECKING:
    from api.client import Client
    from api.schemas.searches import SearchDocument


def write_output(place: Place, client: Client, search: SearchDocument, output: Path) -> None:
    """Write `front.json`, `front.png` and `winner/` of a search.

    Raises:
        Conflict: If no trial was measured, or `winner/` is something else.
    """
    from api.plots import plot_front

    output.mkdir(parents=True, exist_ok=True)
    front = client.front(search.search)
    text = json.dumps(front.model_dump(mode="json"), indent=2)
    (output / "front.json").write_text(text + "\n", encoding="utf-8")
    plot_front(search, front, client.trials(search.search), output / "front.png")
    write_network(place, client, search.search, None, output / "winner")


def write_network(place: Place, client: Client, search_id: str, trial: int | None, folder: Path) -> dict[str, Any]:
    """Write a trial's network as a diffusers folder with ONNX; returns its report.

    A server's workers make the export; without one, this process does.

    Args:
        place: Whether there is a server.
        client: Of that place.
        search_id: The search.
        trial: The trial; None takes the best.
        folder: Where to write; an earlier export is replaced, anything else refused.

    Raises:
        Conflict: If the trial was not measured, or the folder holds something else.
        EvaluationError: If the workers could not make it.
    """
    from api.exports import export_trial
    from api.unpacking import require_replaceable, unpack_export

    if place.server() is None:
        return export_trial(place.installation, search_id, trial, folder)
    require_replaceable(folder)
    export = client.wait_export(client.export(search_id, trial).export)
    if export.status != "done":
        reason = export.failure.message if export.failure else "no reason was given"
        raise EvaluationError(f"The export of trial {export.trial} failed: {reason}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as scratch:
        archive = Path(scratch) / "export.zip"
        client.download(export.export, archive)
        unpack_export(archive, folder)
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report
