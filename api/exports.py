"""Exports: a trial as a folder others can load, and the proof that the folder is what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from api.installation import Installation
from api.views import trial_document
from nas.domain.job import EvaluateArchitecture
from nas.domain.lifecycle import TrialStatus
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.engine.front import best
from nas.engine.jobs import distillation_job
from nas.errors import Conflict, Fault, NotFound, SpecError


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
    from nas.adaptation.compressed_unet import CompressedUNet2DConditionModel
    from nas.adaptation.export import load_exported, save_pipeline, write_report
    from nas.estimation.assemble import assemble
    from nas.estimation.calibration import latent_shape
    from nas.estimation.latency import network_inputs
    from nas.estimation.onnx_export import export_network
    from nas.space.teachers.load import load

    search, trials = installation.search_with_trials(search_id)
    trial = _chosen(search, trials, number)
    _require_replaceable(folder)
    teacher = load(search.spec.teacher)
    architecture = {s: v for s, v in trial.architecture.choices.items() if v != "teacher"}
    network = assemble(
        teacher, trial.architecture, _weights(installation, search, architecture), installation.workspace.artifacts
    )
    save_pipeline(CompressedUNet2DConditionModel.of(network, teacher.config, architecture), teacher, folder)
    exported = load_exported(folder)
    latent = latent_shape(teacher, search.spec.calibration)
    context = network_inputs(teacher, search.spec.calibration, 1).get("context")
    context_shape = None if context is None else (context.shape[1], context.shape[2])
    difference = export_network(exported.denoiser, folder / "model.onnx", latent, context_shape)
    latency = installation.latencies(search, [trial]).get(trial.number)
    report = {
        "search": search.id,
        **trial_document(trial, search, latency),
        "params_of_teacher": _metric_of_teacher(trials, "params"),
        "gmacs_of_teacher": _metric_of_teacher(trials, "gmacs"),
        "teacher": search.spec.teacher.model_dump(mode="json"),
        "calibration": search.spec.calibration.model_dump(mode="json"),
        "fidelity": search.spec.fidelity.model_dump(mode="json"),
        "seed": search.spec.seed,
        "onnx": {
            "file": "model.onnx",
            "largest_relative_difference_to_torch": difference,
        },
    }
    write_report(folder, report)
    return report


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


def _chosen(search: Search, trials: list[Trial], number: int | None) -> Trial:
    if number is None:
        chosen = best(trials, search.problem)
        if chosen is None:
            raise Conflict(f"Search {search.id} has no measured trial yet.", "Run it further: blocksmith resume")
        return chosen
    for trial in trials:
        if trial.number == number:
            if trial.status is not TrialStatus.COMPLETED:
                raise Conflict(f"Trial {number} is {trial.status.value}; only completed trials can be exported.")
            return trial
    raise NotFound(f"Search {search.id} has no trial {number}.", f"It has trials 0 to {len(trials) - 1}.")


def _weights(installation: Installation, search: Search, architecture: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    with installation.database.reader() as uow:
        for stage, variant in architecture.items():
            entry = uow.library.entry(distillation_job(search.spec, stage, variant).key)
            if entry is None:
                raise NotFound(
                    f"Block {stage}/{variant} is not in the library.", "Resume the search to distil it again."
                )
            if entry.weights:
                found[stage] = entry.weights
    return found


def _require_replaceable(folder: Path) -> None:
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / "report.json").is_file())
    ):
        raise Conflict(f"{folder} exists and is no earlier export.", "Choose another --output.")


def _metric_of_teacher(trials: list[Trial], name: str) -> float | None:
    for trial in trials:
        if trial.evaluation and all(variant == "teacher" for variant in trial.architecture.choices.values()):
            return trial.evaluation.metrics[name].mean
    return None


def _architecture(choices: dict[str, str]) -> Any:
    from nas.domain.architecture import Architecture

    return Architecture(choices=FrozenDict(choices))
