"""A trial as a network that others can load: put together, written as a folder, packed."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from nas.adaptation.archive import stored
from nas.domain.job import ExportedNetwork, ExportNetwork, Resources
from nas.domain.teacher import Calibration
from nas.estimation.execute import RUNS
from nas.ports import ArtifactStore, Workspace

ONNX_FILE = "model.onnx"


@RUNS.register("export")
def package_network(payload: ExportNetwork, workspace: Workspace, resources: Resources) -> ExportedNetwork:
    """Do an export job: the folder of `write_network` as a zip in the artifact store.

    Raises:
        CorruptArtifact: If weights do not match their digest.
        EvaluationError: If the ONNX graph does not compute what the network computes.
    """
    del resources
    with tempfile.TemporaryDirectory(dir=workspace.scratch, prefix="export-") as draft:
        folder = Path(draft) / "network"
        write_network(payload, workspace.artifacts, folder)
        return stored(folder, workspace.artifacts)


def write_network(payload: ExportNetwork, artifacts: ArtifactStore, folder: Path) -> dict[str, Any]:
    """Write a diffusers folder with `model.onnx` and `report.json`; returns the report.

    Args:
        payload: The architecture, its weights, and what its report says.
        artifacts: Where the weights are.
        folder: Where to write; replaced if it exists.
    """
    from nas.adaptation.compressed_unet import CompressedUNet2DConditionModel
    from nas.adaptation.export import load_exported, save_pipeline, write_report
    from nas.estimation.assemble import assemble
    from nas.space.teachers.load import load

    teacher = load(payload.teacher)
    replaced = {s: v for s, v in payload.architecture.choices.items() if v != "teacher"}
    network = assemble(teacher, payload.architecture, payload.weights, artifacts)
    save_pipeline(CompressedUNet2DConditionModel.of(network, teacher.config, replaced), teacher, folder)
    difference = _write_onnx(load_exported(folder).denoiser, teacher, payload.calibration, folder / ONNX_FILE)
    onnx = {"file": ONNX_FILE, "largest_relative_difference_to_torch": difference}
    report = {**json.loads(payload.report), "onnx": onnx}
    write_report(folder, report)
    return report


def _write_onnx(denoiser: Any, teacher: Any, calibration: Calibration, file: Path) -> float:
    from nas.estimation.calibration import latent_shape
    from nas.estimation.latency import network_inputs
    from nas.estimation.onnx_export import export_network

    context = network_inputs(teacher, calibration, 1).get("context")
    context_shape = None if context is None else (context.shape[1], context.shape[2])
    return export_network(denoiser, file, latent_shape(teacher, calibration), context_shape)
