"""A restorer as a folder that needs nothing of ours: a diffusers pipeline, one ONNX graph, and a script beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from nas.adaptation.restoration import standalone
from nas.adaptation.restoration.restorer import OneStepRestorer
from nas.adaptation.restoration.standalone import GRAPH_FILE, SETTINGS_FILE, noise_field, settings_json
from nas.errors import EvaluationError
from nas.estimation.onnx_export import TOLERANCE, export_graph, relative_difference

SCRIPT = "restore.py"


def write_restorer(restorer: OneStepRestorer, folder: Path) -> float:
    """Write the pipeline, `restorer.onnx` (encoder, denoiser and decoder in one), its settings and `restore.py`.

    The folder is written beside its place and renamed, so that a killed export leaves no half folder.

    Args:
        restorer: What to write.
        folder: Where; replaced if it exists.

    Returns:
        Largest difference between onnxruntime and torch on one tile, over the largest magnitude of torch's.

    Raises:
        EvaluationError: If the network cannot be exported, or the difference exceeds 1e-3.
    """
    draft = folder.with_name(folder.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    restorer.save_pretrained(draft, safe_serialization=True)
    how, path = restorer.how, restorer.path
    inputs = {"enlarged": _test_card(how.tile)}
    if path.strength:
        inputs["noise"] = torch.from_numpy(noise_field(how))[None]
    export_graph(path, inputs, draft / GRAPH_FILE, "restored")
    difference = relative_difference(path, draft / GRAPH_FILE, inputs)
    if not difference <= TOLERANCE:
        raise EvaluationError(f"The exported restorer differs from torch by {difference:.2g} (relative).")
    (draft / SETTINGS_FILE).write_text(settings_json(how), encoding="utf-8")
    shutil.copyfile(standalone.__file__, draft / SCRIPT)
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return difference


def _test_card(edge: int) -> torch.Tensor:
    """Waves of many frequencies in every colour."""
    place = torch.linspace(-1.0, 1.0, edge)
    waves = [torch.sin((8 + 20 * colour) * (place[:, None] ** 2 + place[None, :])) for colour in range(3)]
    return torch.stack(waves)[None]
