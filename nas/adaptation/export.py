"""Writes a network as a diffusers folder: `unet/`, the teacher's other parts, and ONNX."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.adaptation.compressed_unet import CompressedUNet2DConditionModel
from nas.space.teachers.load import LoadedTeacher

UNET_ENTRY = ["nas.adaptation.compressed_unet", CompressedUNet2DConditionModel.__name__]


def save_pipeline(model: CompressedUNet2DConditionModel, teacher: LoadedTeacher, folder: Path) -> None:
    """Write `unet/`, `vae/`, `scheduler/`, stored conditioning and `model_index.json`.

    The folder is written beside its place and renamed, so that a killed export leaves no half folder.

    Args:
        model: The network that takes the U-Net's place.
        teacher: Gives every other part.
        folder: Where to write; replaced if it exists.
    """
    draft = folder.with_name(folder.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    index: dict[str, Any] = {"_class_name": "DiffusionPipeline", "unet": UNET_ENTRY}
    model.save_pretrained(draft / "unet", safe_serialization=True)
    if teacher.vae is not None:
        teacher.vae.save_pretrained(draft / "vae", safe_serialization=True)
        index["vae"] = [_library(teacher.vae), type(teacher.vae).__name__]
    teacher.scheduler.save_pretrained(draft / "scheduler")
    index["scheduler"] = ["diffusers", type(teacher.scheduler).__name__]
    if teacher.conditioning:
        from safetensors.torch import save_file

        save_file(dict(teacher.conditioning), draft / "conditioning.safetensors")
    (draft / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)


def load_exported(folder: Path) -> CompressedUNet2DConditionModel:
    """Load an exported network; reads `config.json` and safetensors, nothing else."""
    model: CompressedUNet2DConditionModel = CompressedUNet2DConditionModel.from_pretrained(
        folder / "unet", use_safetensors=True, low_cpu_mem_usage=False
    )
    model.eval()
    return model


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Write `report.json` into an exported folder."""
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _library(part: object) -> str:
    module = type(part).__module__
    return "diffusers" if module.startswith("diffusers.") else module
