"""Hands spec files over: to a server, or to the app in this process."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from api.cli.connection import Place
from nas.errors import Fault, SpecError

if TYPE_CHECKING:
    from api.client import Client
    from api.schemas.searches import SearchDocument, Validation


def check_spec(place: Place, spec: Path) -> Validation:
    """Check a spec against everything its server, or this machine, knows. Leaves nothing behind.

    Raises:
        SpecError: With every fault found.
    """
    from api.composition import check_spec_file
    from api.schemas.searches import Validation

    if place.server() is None:  # without the app, hence without a data directory
        checked = check_spec_file(spec, place.installation)
        return Validation(architectures_in_space=checked.space.size, stages=list(checked.stages))
    with place.client() as client:
        return client.submit(read_text(spec), check=True)


def submit_spec(
    client: Client, spec: Path, *, warm_start: str = "", dry_run: bool = False, project: str = ""
) -> SearchDocument:
    """Submit a spec file; however often the connection breaks meanwhile, one search is made.

    Raises:
        SpecError: With every fault found.
        QuotaExceeded: If the project has no trials left.
    """
    text = read_text(spec)
    once = secrets.token_hex(16)
    if dry_run:
        return client.dry_run(text, idempotency_key=once, project=project or None)
    return client.submit(text, idempotency_key=once, warm_start=warm_start or None, project=project or None)


def read_text(spec: Path) -> str:
    """Text of a spec file.

    Raises:
        SpecError: If it cannot be read, or is no text.
    """
    try:
        return spec.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError((Fault("", f"cannot read {spec}: {error.strerror}"),)) from None
    except UnicodeDecodeError:
        raise SpecError((Fault("", f"{spec} is not UTF-8 text"),)) from None
