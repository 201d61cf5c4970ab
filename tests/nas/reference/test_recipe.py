"""The recipe: same seed, same weights, also when it was killed in between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from nas.errors import NotFound
from nas.reference.folder import load_teacher
from nas.reference.recipe import train_teacher
from nas.reference.settings import Phase, PhasePlan, TeacherShape, TeacherTraining, TrainingProgress

TINY = TeacherShape(
    autoencoder_channels=(4, 4, 8),
    unet_channels=(4, 4, 4, 4),
    unet_layers=1,
    heads=1,
    groups=2,
    tokens=2,
    token_width=4,
)


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for index in range(2):
        coarse = Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8))
        coarse.resize((72, 72), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder


def tiny_training(images: Path, output: Path, **changes: object) -> TeacherTraining:
    plan = PhasePlan(steps=3, batch=2, crop=32, learning_rate=1e-3, final_learning_rate=1e-4, warmup=1)
    settings = TeacherTraining(
        output=output,
        images=images,
        plans=dict.fromkeys(Phase, plan),
        shape=TINY,
        dead_leaves=1,
        pool=4,
        pool_steps=2,
        checkpoint_s=0.0,
    )
    return replace(settings, **changes)


@pytest.fixture(autouse=True)
def every_step_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.training.loop.NEWS_EVERY_S", 0.0)


@pytest.mark.parametrize("phase", [Phase.AUTOENCODER, Phase.DENOISER])
def test_a_killed_and_resumed_training_ends_with_the_same_weights(images: Path, tmp_path: Path, phase: Phase) -> None:
    news: list[TrainingProgress] = []
    whole = train_teacher(tiny_training(images, tmp_path / "whole"), news.append)

    def kill(progress: TrainingProgress) -> None:
        if progress.phase is phase and progress.step == 2:
            raise Killed

    with pytest.raises(Killed):
        train_teacher(tiny_training(images, tmp_path / "parts"), kill)
    parts = train_teacher(tiny_training(images, tmp_path / "parts", resume=True), lambda _: None)

    assert [entry.step for entry in news if entry.phase is phase] == [1, 2, 3]
    for part in ("vae", "unet"):
        expected = load_file(whole / part / "diffusion_pytorch_model.safetensors")
        found = load_file(parts / part / "diffusion_pytorch_model.safetensors")
        assert all(torch.equal(found[name], value) for name, value in expected.items())
    teacher = load_teacher(parts)
    assert teacher.unet.dtype == torch.float32
    assert set(teacher.conditions) == {"null", "photograph", "dead-leaves"}


def test_minutes_replace_the_planned_steps_and_a_fresh_training_ignores_old_checkpoints(
    images: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        news: list[TrainingProgress] = []
        train_teacher(tiny_training(images, tmp_path, minutes=1e-6), news.append)
        assert [(entry.step, entry.steps) for entry in news] == [(1, 1)] * len(Phase)


def test_a_training_can_be_prolonged(images: Path, tmp_path: Path) -> None:
    train_teacher(tiny_training(images, tmp_path), lambda _: None)
    longer = tiny_training(images, tmp_path, resume=True)
    longer = replace(longer, plans={phase: replace(plan, steps=4) for phase, plan in longer.plans.items()})
    news: list[TrainingProgress] = []
    train_teacher(longer, news.append)
    assert [entry.step for entry in news if entry.phase is Phase.DENOISER] == [4]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No picture"):
        train_teacher(tiny_training(tmp_path, tmp_path / "out"), lambda _: None)
