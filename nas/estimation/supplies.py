"""What jobs work on: the teacher, kept warm in the process, and the captured features, made when they are missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from nas.domain.job import CaptureFeatures, FeatureSet
from nas.domain.payload import Payload
from nas.domain.teacher import TeacherRef
from nas.errors import EvaluationError
from nas.estimation.capture import capture, discard
from nas.estimation.features import DamagedFeatures, Features
from nas.estimation.warm import Warm
from nas.ports import Workspace
from nas.space.teachers.load import LoadedTeacher, fingerprint, load

T = TypeVar("T")

_TEACHERS: Warm[tuple[str, str], LoadedTeacher] = Warm(2)
_FEATURES: Warm[Path, Features] = Warm(4)


def warm_teacher(ref: TeacherRef, device: torch.device) -> LoadedTeacher:
    """A teacher on a device, loaded once per process.

    Raises:
        NotFound: If there is no such teacher.
        EvaluationError: If its files are no longer those that the fingerprint was taken of.
    """
    return _TEACHERS.get((ref.digest, str(device)), lambda: _loaded(ref, device))


def ensure_features(teacher: LoadedTeacher, payload: Payload, workspace: Workspace) -> FeatureSet:
    """Capture a payload's features, or find them on the disk."""
    _FEATURES.forget(_folder(payload, workspace))
    return capture(teacher, payload.calibration, workspace.features, capture_key(payload))


def on_features(teacher: LoadedTeacher, payload: Payload, workspace: Workspace, work: Callable[[Features], T]) -> T:
    """Do some work on a payload's features. Damaged ones are discarded and captured again, once."""
    try:
        return work(_opened(teacher, payload, workspace))
    except DamagedFeatures:
        discard(workspace.features, capture_key(payload))
        _FEATURES.forget(_folder(payload, workspace))
        return work(_opened(teacher, payload, workspace))


def capture_key(payload: Payload) -> str:
    """Key of the capture whose features a payload needs; names their folder."""
    return CaptureFeatures(teacher=payload.teacher, calibration=payload.calibration).key


def _folder(payload: Payload, workspace: Workspace) -> Path:
    return workspace.features / capture_key(payload)


def _opened(teacher: LoadedTeacher, payload: Payload, workspace: Workspace) -> Features:
    folder = _folder(payload, workspace)

    def open_features() -> Features:
        capture(teacher, payload.calibration, workspace.features, capture_key(payload))
        return Features(folder)

    return _FEATURES.get(folder, open_features)


def _loaded(ref: TeacherRef, device: torch.device) -> LoadedTeacher:
    if ref.fingerprint and fingerprint(ref) != ref.fingerprint:
        raise EvaluationError(
            f"The files of teacher {ref.source!r} have changed since the search was submitted.",
            "Submit a new search, or put the files back.",
        )
    return load(ref, device)
