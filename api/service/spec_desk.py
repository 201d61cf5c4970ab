"""Checks specs aside from the requests: it imports torch, takes seconds at first, and may take too long."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from typing import Any, Final

from api.service.turns import Turns
from api.settings import Settings
from api.specs import CheckedSpec, check_spec
from nas.domain.metric import LATENCY, METRICS

WORKERS: Final = 2
WAITING: Final = 8
PATIENCE_S: Final = 90.0


class SpecDesk:
    """Checks a few specs at once and lets a few more wait.

    Args:
        settings: Of the installation: which folders a spec may name, whether it may name the hub.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turns = Turns(WORKERS, WAITING, PATIENCE_S, "Checking the spec", "spec")
        self._catalogue: dict[str, Any] | None = None
        self._is_settled = False

    def check(self, document: dict[str, Any], devices: Iterable[str] = ()) -> CheckedSpec:
        """Check a document and resolve its teacher.

        Args:
            document: The spec.
            devices: Names that device workers gave, beside the registered ones.

        Raises:
            SpecError: With every fault found.
            TransientError: If too many are waiting already, or this one takes too long.
        """
        return self._turns.take(lambda: self._check(document, tuple(devices)))

    def catalogue(self) -> dict[str, Any]:
        """Every name that a spec may use; looked up once.

        Raises:
            TransientError: If too many are waiting already.
        """
        if self._catalogue is None:
            self._catalogue = self._turns.take(_catalogue)
            self._settle()
        return self._catalogue

    def close(self) -> None:
        """Release the threads; the next spec starts new ones."""
        self._turns.close()

    def _check(self, document: dict[str, Any], devices: tuple[str, ...]) -> CheckedSpec:
        from api.composition import registered_names
        from api.teachers import describe_teacher, fingerprinted
        from nas.space.teachers.folder import offline

        with offline(not self._settings.hub_downloads):
            checked = check_spec(document, describe_teacher, registered_names(devices), self._settings.roots)
            resolved: CheckedSpec = checked.evolve(spec=fingerprinted(checked.spec))
        self._settle()
        return resolved

    def _settle(self) -> None:
        """Keep what torch brought along out of garbage collection.

        Those million objects live as long as the process; looking at them again and again would hold up
        every request for a quarter of a second.
        """
        if not self._is_settled:
            self._is_settled = True
            gc.collect()
            gc.freeze()


def _catalogue() -> dict[str, Any]:
    from api.teachers import catalogue_document

    names = catalogue_document()
    reference = names["block variants of the reference teacher"]
    return {
        "metrics": [
            {**metric.model_dump(mode="json"), "searchable": metric.name != LATENCY.name} for metric in METRICS
        ],
        "strategies": names["strategies"],
        "devices": names["devices"],
        "teacher_families": names["teacher families"],
        "block_families": names["block families"],
        "reference_stages": [
            {"stage": stage, "variants": variants.split(", ")} for stage, variants in reference.items()
        ],
    }
