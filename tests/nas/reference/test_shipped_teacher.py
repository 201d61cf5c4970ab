"""The shipped weights keep what their documentation claims."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from nas.errors import NotFound
from nas.reference import reference_teacher_folder
from nas.reference.evaluate import patch_edge, predict_noise, reconstruct
from nas.reference.folder import ReferenceTeacher, load_teacher
from nas.reference.patch_basis import fit_patch_basis, pixels_from_bytes
from nas.reference.pictures import CropSampler, bundled_photographs, held_out_photograph

MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def teacher() -> ReferenceTeacher:
    return load_teacher(reference_teacher_folder())


def test_the_folder_is_named_without_loading_torch() -> None:
    code = "import sys, nas.reference as r; r.reference_teacher_folder(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_folder_is_not_looked_for_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        load_teacher(tmp_path / "nothing")


def test_the_weights_are_small_and_load_in_single_precision(teacher: ReferenceTeacher) -> None:
    size = sum(file.stat().st_size for file in reference_teacher_folder().rglob("*.safetensors"))
    assert size <= 20 * MEBIBYTE
    assert {value.dtype for value in teacher.unet.parameters()} == {torch.float32}
    assert {value.dtype for value in teacher.autoencoder.parameters()} == {torch.float32}


def test_the_stage_layout_is_that_of_stable_diffusion(teacher: ReferenceTeacher) -> None:
    config = teacher.unet.config
    assert isinstance(teacher.unet, UNet2DConditionModel)
    assert tuple(config.down_block_types) == ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
    assert config.mid_block_type == "UNetMidBlock2DCrossAttn"
    assert tuple(config.up_block_types) == ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3
    assert (config.layers_per_block, config.in_channels, config.out_channels) == (2, 16, 16)
    assert teacher.scheduler.config.prediction_type == "epsilon"


def test_a_picture_never_trained_on_survives_better_than_under_pca(teacher: ReferenceTeacher) -> None:
    crops = CropSampler(bundled_photographs(), 64).sample(np.random.default_rng(0), 400, 64)
    basis = fit_patch_basis(pixels_from_bytes(torch.from_numpy(crops)), patch_edge(teacher), 16)
    result = reconstruct(teacher, basis, held_out_photograph())
    assert result.teacher_db > result.pca_db + 0.2


def test_scaled_latents_have_about_unit_deviation(teacher: ReferenceTeacher) -> None:
    crops = CropSampler(bundled_photographs(), 64).sample(np.random.default_rng(1), 200, 64)
    with torch.no_grad():
        latents = teacher.autoencoder.encode(pixels_from_bytes(torch.from_numpy(crops))).latent_dist.mean
    assert 0.7 < float(latents.std()) * teacher.autoencoder.config.scaling_factor < 1.4


def test_the_noise_is_predicted_far_better_than_by_zero(teacher: ReferenceTeacher) -> None:
    pixels = pixels_from_bytes(torch.from_numpy(held_out_photograph().pixels[None, :256, :256].copy()))
    with torch.no_grad():
        latents = teacher.autoencoder.encode(pixels).latent_dist.mean * teacher.autoencoder.config.scaling_factor
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    level = teacher.scheduler.alphas_cumprod[500]
    guess = predict_noise(
        teacher, level.sqrt() * latents + (1 - level).sqrt() * noise, torch.tensor([500]), "photograph"
    )
    assert float((guess - noise).square().mean()) < 0.35


def test_the_report_beside_the_weights_is_about_these_weights() -> None:
    folder = reference_teacher_folder()
    report = json.loads((folder / "report.json").read_text())
    size = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    assert report["weight_bytes"] == size
    assert report["teacher_db"] > report["pca_db"]
