"""The whole training: closed-form start, autoencoder, denoiser on small, on larger, on small crops."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from nas.reference.compute import ComputePlan, choose_compute
from nas.reference.folder import load_autoencoder, load_unet, save_autoencoder, save_rest, save_unet
from nas.reference.networks import build_conditions, build_scheduler, build_unet
from nas.reference.settings import Phase, TeacherTraining, TrainingProgress
from nas.reference.train_unet import DenoiserTask
from nas.reference.train_vae import AutoencoderTask, set_scaling_factor
from nas.reference.training_data import TrainingPictures
from nas.training.loop import Task, train
from nas.training.plan import Progress

OnProgress = Callable[[TrainingProgress], None]
MINUTES_SHARES = {
    Phase.AUTOENCODER: 0.25,
    Phase.DENOISER: 0.5,
    Phase.DENOISER_LARGE: 0.1,
    Phase.DENOISER_BALANCED: 0.15,
}
SCALING_CROPS = 256


def train_teacher(settings: TeacherTraining, on_progress: OnProgress) -> Path:
    """Train a reference teacher from nothing to a finished folder.

    May be killed at any moment and called again with `resume`: it goes on from the last checkpoint and ends with the
    same weights, on the same machine, as an uninterrupted run.

    Args:
        settings: What to train on, how large, how long.
        on_progress: Called about once a second.

    Returns:
        `settings.output`, now a teacher folder.

    Raises:
        NotFound: When there are no pictures to train on.
    """
    training = _Training(settings, on_progress)
    training.train_autoencoder()
    training.train_denoiser(Phase.DENOISER)
    training.train_denoiser(Phase.DENOISER_LARGE)
    training.train_denoiser(Phase.DENOISER_BALANCED)
    return settings.output


class _Training:
    """The phases of one training, each starting from the files the one before it wrote."""

    def __init__(self, settings: TeacherTraining, on_progress: OnProgress) -> None:
        self._settings = settings
        self._on_progress = on_progress
        self._compute: ComputePlan = choose_compute()
        self._pictures = TrainingPictures(settings)
        self._conditions = build_conditions(settings.shape, settings.seed)
        if not settings.resume:
            shutil.rmtree(self._checkpoints, ignore_errors=True)
        save_rest(build_scheduler(), self._conditions, settings.output)

    @property
    def _checkpoints(self) -> Path:
        return self._settings.output / ".training"

    def train_autoencoder(self) -> None:
        """Train and write `vae/`."""
        settings = self._settings
        plan = settings.plans[Phase.AUTOENCODER]
        task = AutoencoderTask(self._pictures, plan, settings.shape, self._compute, settings.seed)
        network = self._run(Phase.AUTOENCODER, task).to("cpu")
        pixels, _ = self._pictures.crops("scaling", 0, SCALING_CROPS, plan.crop)
        set_scaling_factor(network, pixels)
        save_autoencoder(network, settings.output)

    def train_denoiser(self, phase: Phase) -> None:
        """Train and write `unet/`; every phase but the first starts from what is there."""
        settings = self._settings
        torch.manual_seed(settings.seed)
        unet = build_unet(settings.shape) if phase is Phase.DENOISER else load_unet(settings.output)
        autoencoder = load_autoencoder(settings.output)
        task = DenoiserTask(self._pictures, phase, settings, autoencoder, unet, self._conditions, self._compute)
        save_unet(self._run(phase, task).to("cpu"), settings.output)

    def _run(self, phase: Phase, task: Task) -> Any:
        """Run one phase within its share of the minutes, if minutes were given."""
        settings = self._settings
        budget_s = None if settings.minutes is None else 60.0 * settings.minutes * MINUTES_SHARES[phase]

        def tell(news: Progress) -> None:
            self._on_progress(TrainingProgress(**asdict(news), phase=phase))

        checkpoint = self._checkpoints / f"{phase.value}.safetensors"
        return train(task, settings.plans[phase], checkpoint, tell, settings.checkpoint_s, budget_s).network
