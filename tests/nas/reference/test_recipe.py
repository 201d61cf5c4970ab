"""The recipe: same seed, same weights, also when it was killed in between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
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


def tiny_training(output: Path, **changes: object) -> TeacherTraining:
    plan = PhasePlan(steps=3, batch=2, crop=32, learning_rate=1e-3, final_learning_rate=1e-4, warmup=1)
    settings = TeacherTraining(
        output=output,
        plans=dict.fromkeys(Phase, plan),
        shape=TINY,
        dead_leaves=1,
        pool=4,
        pool_steps=2,
        checkpoint_s=0.0,
    )
    return replace(settings, **changes)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def every_step_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.reference.training_loop.NEWS_EVERY_S", 0.0)


@pytest.mark.parametrize("phase", [Phase.AUTOENCODER, Phase.DENOISER])
def test_a_killed_and_resumed_training_ends_with_the_same_weights(tmp_path: Path, phase: Phase) -> None:
    news: list[TrainingProgress] = []
    whole = train_teacher(tiny_training(tmp_path / "whole"), news.append)

    def kill(progress: TrainingProgress) -> None:
        if progress.phase is phase and progress.step == 2:
            raise Killed

    with pytest.raises(Killed):
        train_teacher(tiny_training(tmp_path / "parts"), kill)
    parts = train_teacher(tiny_training(tmp_path / "parts", resume=True), lambda _: None)

    assert [entry.step for entry in news if entry.phase is phase] == [1, 2, 3]
    for part in ("vae", "unet"):
        expected = load_file(whole / part / "diffusion_pytorch_model.safetensors")
        found = load_file(parts / part / "diffusion_pytorch_model.safetensors")
        assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_fresh_training_ignores_old_checkpoints(tmp_path: Path) -> None:
    train_teacher(tiny_training(tmp_path), lambda _: None)
    news: list[TrainingProgress] = []
    train_teacher(tiny_training(tmp_path), news.append)
    assert sum(entry.phase is Phase.AUTOENCODER for entry in news) == 3


def test_minutes_replace_the_planned_number_of_steps(tmp_path: Path) -> None:
    news: list[TrainingProgress] = []
    train_teacher(tiny_training(tmp_path, minutes=1e-6), news.append)
    assert {entry.steps for entry in news} == {1}


def test_the_result_is_a_teacher_folder(tmp_path: Path) -> None:
    teacher = load_teacher(train_teacher(tiny_training(tmp_path), lambda _: None))
    assert teacher.unet.dtype == torch.float32
    assert set(teacher.conditions) == {"null", "photograph", "dead-leaves"}


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No picture"):
        train_teacher(tiny_training(tmp_path / "out", images=tmp_path), lambda _: None)
