"""Runs searches through the real engine, for benchmarks that read what it recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from api.composition import drive, registered_names, submit
from api.documents import read_document
from api.installation import Installation
from api.specs import check_spec
from api.teachers import describe_teacher
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.engine.events import unobserved


def run_search(spec: Path, changes: dict[str, Any], data: Path) -> tuple[Installation, Search, list[Trial]]:
    """Run a spec file with some fields changed; returns the search and its trials.

    Libraries and evaluations in `data` are reused: a second run with the same calibration pays only
    for what is new.
    """
    installation = Installation(data)
    document = {**read_document(spec.read_text(encoding="utf-8")), **changes}
    document = {name: value for name, value in document.items() if value is not None}
    checked = check_spec(document, describe_teacher, registered_names(), installation.settings.roots)
    search = submit(installation, checked)
    drive(installation, search, unobserved)
    found, trials = installation.search_with_trials(search.id)
    return installation, found, trials
