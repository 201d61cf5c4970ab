"""A tiny teacher in Stable Diffusion's layout, with random weights, as a diffusers folder on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from nas.domain.architecture import Architecture
from nas.domain.job import CaptureFeatures, DistillBlock, EvaluateArchitecture
from nas.domain.library import Distillation
from nas.domain.teacher import Calibration, TeacherRef
from nas.domain.value import FrozenDict
from nas.estimation.capture import capture
from nas.estimation.features import Features
from nas.reference.autoencoder import PatchAutoencoderKL
from nas.space.teachers.load import LoadedTeacher, fingerprint, load
from storage.artifacts import DirectoryWorkspace

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def teacher_ref(tmp_path_factory: pytest.TempPathFactory) -> TeacherRef:
    folder = tmp_path_factory.mktemp("teacher")
    torch.manual_seed(3)
    UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 8, 16, 16),
        attention_head_dim=2,
        cross_attention_dim=8,
        norm_num_groups=4,
    ).save_pretrained(folder / "unet")
    PatchAutoencoderKL(
        block_out_channels=(4, 8, 8),
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=0.5,
        shift_factor=0.25,
    ).save_pretrained(folder / "vae")
    DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False).save_pretrained(folder / "scheduler")
    ref = TeacherRef(source=str(folder))
    resolved: TeacherRef = ref.evolve(fingerprint=fingerprint(ref))
    return resolved


@pytest.fixture(scope="session")
def teacher(teacher_ref: TeacherRef) -> LoadedTeacher:
    return load(teacher_ref)


@pytest.fixture(scope="session")
def calibration() -> Calibration:
    return Calibration(source="gaussian", samples=24, holdout=8, latent_size=8, bands=4)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="session")
def features(teacher: LoadedTeacher, calibration: Calibration, store: Path) -> Features:
    key = CaptureFeatures(teacher=teacher.ref, calibration=calibration).key
    capture(teacher, calibration, store, key)
    return Features(store / key)


@pytest.fixture
def workspace(tmp_path: Path) -> DirectoryWorkspace:
    return DirectoryWorkspace(tmp_path / "workspace")


def distillation_of(
    teacher: TeacherRef, calibration: Calibration, stage: str, variant: str, **settings: object
) -> DistillBlock:
    chosen = Distillation.model_validate({"steps": 20, "batch": 8, **settings})
    return DistillBlock(teacher=teacher, calibration=calibration, distillation=chosen, stage=stage, variant=variant)


def evaluation_of(
    teacher: TeacherRef, calibration: Calibration, choices: dict[str, str], weights: dict[str, str], batch: int = 8
) -> EvaluateArchitecture:
    return EvaluateArchitecture(
        teacher=teacher,
        calibration=calibration,
        architecture=Architecture(choices=FrozenDict(choices)),
        weights=FrozenDict(weights),
        metrics=("noise_mse", "noise_mse_relative", "feature_distance"),
        batch=batch,
    )
