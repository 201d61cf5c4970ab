"""Exports: a trial as a folder others can load, and the proof that the folder is what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.installation import Installation
from api.service.blocks import BlockCache
from api.service.readings import latencies_of
from api.views import trial_document
from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.job import EvaluateArchitecture, ExportNetwork, Job
from nas.domain.lifecycle import TrialStatus
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.engine.front import best
from nas.engine.jobs import distillation_job
from nas.errors import Conflict, Fault, NotFound, SpecError

if TYPE_CHECKING:
    from storage.unit_of_work import SqlUnitOfWork

EXPORT_TIMEOUT_S = 3600.0


def export_trial(installation: Installation, search_id: str, number: int | None, folder: Path) -> dict[str, Any]:
    """Write a trial's network as a diffusers folder with `model.onnx` and `report.json`; returns the report.

    Args:
        installation: Where the search is.
        search_id: The search, or `latest`.
        number: The trial; None takes the best.
        folder: Where to write; replaced if it is an earlier export, refused if it is anything else.

    Raises:
        NotFound: If there is no such trial.
        Conflict: If the trial has no evaluation, or the folder holds something else.
        CorruptArtifact: If weights do not match their digest.
    """
    from nas.adaptation.package import write_network

    with installation.database.reader() as uow:
        search = uow.searches.get(search_id)
        trial = _chosen(uow, search, number)
        payload = export_payload(uow, search, trial)
    _require_replaceable(folder)
    return write_network(payload, installation.workspace.artifacts, folder)


def export_job(uow: SqlUnitOfWork, search_id: str, number: int) -> Job:
    """The job that packs a trial's network.

    Raises:
        NotFound: If there is no such trial, or a block of it is gone.
        Conflict: If the trial was not measured.
    """
    search = uow.searches.get(search_id)
    payload = export_payload(uow, search, _chosen(uow, search, number))
    return Job(
        payload=payload, resources=search.spec.resources, timeout_s=EXPORT_TIMEOUT_S, search=search_id, trial=number
    )


def export_payload(uow: SqlUnitOfWork, search: Search, trial: Trial) -> ExportNetwork:
    """What a network is put together from, and what its report says.

    Raises:
        NotFound: If a block is no longer in the library.
    """
    teacher = _teacher_trial(uow, search)
    report = {
        "search": search.id,
        **trial_document(trial, search, latencies_of(uow, search, trial, BlockCache().tables(uow, search))),
        "params_of_teacher": _mean(teacher, "params"),
        "gmacs_of_teacher": _mean(teacher, "gmacs"),
        "teacher": search.spec.teacher.model_dump(mode="json"),
        "calibration": search.spec.calibration.model_dump(mode="json"),
        "fidelity": search.spec.fidelity.model_dump(mode="json"),
        "seed": search.spec.seed,
    }
    return ExportNetwork(
        teacher=search.spec.teacher,
        calibration=search.spec.calibration,
        architecture=trial.architecture,
        weights=FrozenDict(_weights(uow, search, trial)),
        report=json.dumps(report),
    )


def evaluate_export(folder: Path) -> dict[str, Any]:
    """Judge an exported network on the calibration its report names.

    The network is loaded from the folder alone; teacher and calibration are made anew.

    Raises:
        NotFound: If the folder is no export.
        SpecError: If its report is not readable.
    """
    import tempfile

    from nas.adaptation.export import load_exported
    from nas.domain.search import FidelityProtocol
    from nas.domain.teacher import Calibration, TeacherRef
    from nas.estimation.judge import judge_network
    from storage.artifacts import DirectoryWorkspace

    file = folder / "report.json"
    if not file.is_file():
        raise NotFound(f"{folder} is no exported network: it has no report.json.", "Make one: blocksmith export")
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        teacher = TeacherRef.model_validate_json(json.dumps(report["teacher"]))
        calibration = Calibration.model_validate_json(json.dumps(report["calibration"]))
        fidelity = FidelityProtocol.model_validate_json(json.dumps(report["fidelity"]))
        recorded = {name: report["metrics"][name]["mean"] for name in fidelity.metrics}
    except (ValueError, KeyError, TypeError) as error:
        raise SpecError((Fault("", f"{file} is no report of an export: {error}"),)) from None
    with tempfile.TemporaryDirectory() as scratch:
        payload = EvaluateArchitecture(
            teacher=teacher,
            calibration=calibration,
            architecture=_architecture(report["architecture"]),
            weights=FrozenDict(),
            metrics=fidelity.metrics,
            batch=fidelity.batch,
        )
        evaluation = judge_network(load_exported(folder).denoiser, payload, DirectoryWorkspace(scratch))
    now = {name: evaluation.metrics[name].mean for name in fidelity.metrics}
    return {
        "folder": str(folder),
        "metrics": {name: {"recorded": recorded[name], "now": now[name]} for name in fidelity.metrics},
    }


def _chosen(uow: SqlUnitOfWork, search: Search, number: int | None) -> Trial:
    if number is None:
        chosen = best(uow.trials.of_search(search.id, TrialStatus.COMPLETED), search.problem)
        if chosen is None:
            raise Conflict(f"Search {search.id} has no measured trial yet.", "Run it further: blocksmith resume")
        return chosen
    trial = uow.trials.get(search.id, number)
    if trial.status is not TrialStatus.COMPLETED:
        raise Conflict(f"Trial {number} is {trial.status.value}; only completed trials can be exported.")
    return trial


def _weights(uow: SqlUnitOfWork, search: Search, trial: Trial) -> dict[str, str]:
    found: dict[str, str] = {}
    for stage, variant in trial.architecture.choices.items():
        if variant == TEACHER_VARIANT:
            continue
        entry = uow.library.entry(distillation_job(search.spec, stage, variant).key)
        if entry is None:
            raise NotFound(f"Block {stage}/{variant} is not in the library.", "Resume the search to distil it again.")
        if entry.weights:
            found[stage] = entry.weights
    return found


def _require_replaceable(folder: Path) -> None:
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / "report.json").is_file())
    ):
        raise Conflict(f"{folder} exists and is no earlier export.", "Choose another --output.")


def _teacher_trial(uow: SqlUnitOfWork, search: Search) -> Trial | None:
    completed = uow.trials.of_search(search.id, TrialStatus.COMPLETED)
    teachers = (t for t in completed if all(v == TEACHER_VARIANT for v in t.architecture.choices.values()))
    return next(teachers, None)


def _mean(trial: Trial | None, metric: str) -> float | None:
    return trial.evaluation.metrics[metric].mean if trial is not None and trial.evaluation else None


def _architecture(choices: dict[str, str]) -> Any:
    from nas.domain.architecture import Architecture

    return Architecture(choices=FrozenDict(choices))
