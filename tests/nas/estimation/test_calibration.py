from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas.domain.teacher import Calibration
from nas.errors import SpecError
from nas.estimation.calibration import HOLDOUT, SAMPLES, clean_latents, noisy_latents, reference_pictures
from nas.space.teachers.load import LoadedTeacher


def test_the_same_calibration_gives_the_same_latents(teacher: LoadedTeacher, calibration: Calibration) -> None:
    first, second = noisy_latents(teacher, calibration), noisy_latents(teacher, calibration)
    assert torch.equal(first.sample, second.sample)
    assert torch.equal(first.timestep, second.timestep)


def test_another_seed_gives_other_latents(teacher: LoadedTeacher, calibration: Calibration) -> None:
    other = noisy_latents(teacher, calibration.evolve(seed=1))
    assert not torch.equal(noisy_latents(teacher, calibration).sample, other.sample)


def test_every_band_gets_its_share_of_timesteps(teacher: LoadedTeacher, calibration: Calibration) -> None:
    timesteps = noisy_latents(teacher, calibration).timestep[: calibration.samples]
    counts = np.histogram(timesteps.numpy(), bins=calibration.bands, range=(0, 1000))[0]
    assert counts.tolist() == [calibration.samples // calibration.bands] * calibration.bands
    assert len(set(timesteps.tolist())) > calibration.bands  # jittered, not one timestep a band


def test_the_holdout_does_not_move_when_the_samples_grow(teacher: LoadedTeacher, calibration: Calibration) -> None:
    small, large = noisy_latents(teacher, calibration), noisy_latents(teacher, calibration.evolve(samples=40))
    assert torch.equal(small.sample[calibration.samples :], large.sample[40:])
    assert torch.equal(small.sample[: calibration.samples], large.sample[: calibration.samples])


def test_noise_follows_the_teachers_own_schedule(teacher: LoadedTeacher, calibration: Calibration) -> None:
    """z_t = sqrt(a) z_0 + sqrt(1 - a) e, so with the clean part known the noise must have unit variance."""
    many = calibration.evolve(samples=200, holdout=1)
    latents = noisy_latents(teacher, many)
    clean = clean_latents(teacher, many, SAMPLES, 200, (4, 8, 8))
    kept = teacher.scheduler.alphas_cumprod[latents.timestep[:200]].reshape(-1, 1, 1, 1)
    noise = (latents.sample[:200] - kept.sqrt() * clean) / (1 - kept).sqrt()
    assert float(noise.var()) == pytest.approx(1.0, abs=0.03)
    assert float((noise * clean).mean()) == pytest.approx(0.0, abs=0.03)


def test_pictures_are_encoded_shifted_and_scaled(teacher: LoadedTeacher, tmp_path: Path) -> None:
    """A plain grey picture has a latent that can be computed by hand from the VAE alone."""
    for name in ("a.png", "b.png"):
        Image.new("RGB", (48, 48), (200, 100, 50)).save(tmp_path / name)
    calibration = Calibration(source="images", path=str(tmp_path), samples=2, holdout=1, latent_size=8, bands=1)
    grey = torch.tensor([200, 100, 50]).reshape(1, 3, 1, 1).expand(1, 3, 32, 32) / 127.5 - 1
    assert teacher.vae is not None
    with torch.no_grad():
        expected = (teacher.vae.encode(grey).latent_dist.mode() - 0.25) * 0.5
    found = clean_latents(teacher, calibration, SAMPLES, 2, (4, 8, 8))
    torch.testing.assert_close(found, expected.expand(2, -1, -1, -1), atol=5e-4, rtol=5e-3)


def test_pictures_of_the_holdout_are_not_distilled_on() -> None:
    samples = {picture.name: picture.pixels for picture in reference_pictures(0, SAMPLES)}
    holdout = {picture.name: picture.pixels for picture in reference_pictures(0, HOLDOUT)}
    shared = set(samples) & set(holdout)
    assert {name for name in shared if np.array_equal(samples[name], holdout[name])} == set()
    assert {name for name in shared if not name.startswith("dead-leaves")} == set()


def test_a_folder_of_pictures_is_split_between_samples_and_holdout(teacher: LoadedTeacher, tmp_path: Path) -> None:
    for number in range(4):
        Image.new("RGB", (48, 48), (60 * number, 0, 0)).save(tmp_path / f"{number}.png")
    calibration = Calibration(source="images", path=str(tmp_path), samples=12, holdout=4, latent_size=8, bands=1)
    samples = clean_latents(teacher, calibration, SAMPLES, 12, (4, 8, 8))
    holdout = clean_latents(teacher, calibration, HOLDOUT, 4, (4, 8, 8))
    assert len({tuple(row.flatten().tolist()) for row in samples}) == 3
    assert len({tuple(row.flatten().tolist()) for row in holdout}) == 1
    assert not any(torch.equal(row, other) for row in samples for other in holdout)


def test_one_picture_is_too_few(teacher: LoadedTeacher, tmp_path: Path) -> None:
    Image.new("RGB", (48, 48)).save(tmp_path / "only.png")
    calibration = Calibration(source="images", path=str(tmp_path), samples=2, holdout=1, latent_size=8)
    with pytest.raises(SpecError, match="/calibration/path"):
        noisy_latents(teacher, calibration)


def test_a_teacher_without_vae_needs_gaussian_latents(teacher: LoadedTeacher) -> None:
    bare = LoadedTeacher(teacher.ref, teacher.folder, teacher.config, teacher.denoiser, None, teacher.scheduler)
    with pytest.raises(SpecError, match="gaussian"):
        noisy_latents(bare, Calibration(samples=1, holdout=1, latent_size=8))


def test_a_null_prompt_is_kept_once(teacher: LoadedTeacher, calibration: Calibration) -> None:
    context = noisy_latents(teacher, calibration).context
    assert context is not None
    assert len(context) == 1
