"""The two yardsticks: linear patch code and linear denoiser are what closed form says they are."""

from __future__ import annotations

import torch

from nas.reference.gaussian_denoiser import fit_gaussian_denoiser
from nas.reference.networks import build_autoencoder
from nas.reference.patch_basis import fit_patch_basis
from nas.reference.settings import TeacherShape


def smooth_pixels() -> torch.Tensor:
    noise = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.avg_pool2d(noise, 5, stride=1, padding=2)


def test_the_code_is_white_and_loses_exactly_the_smallest_variances() -> None:
    pixels = smooth_pixels()
    basis = fit_patch_basis(pixels, 4, 16)
    code = basis.encode(pixels).transpose(0, 1).flatten(1)
    assert torch.allclose(code @ code.T / code.shape[1], torch.eye(16), atol=2e-3)
    rows = torch.nn.functional.unfold(pixels - basis.mean[:, None, None], 4, stride=4).transpose(1, 2).flatten(0, 1)
    lost = torch.linalg.eigvalsh(rows.T @ rows / len(rows))[:-16].sum() / 48
    error = (basis.decode(basis.encode(pixels)) - pixels).square().mean()
    assert torch.allclose(error, lost, rtol=1e-3)


def test_all_components_give_the_picture_back() -> None:
    pixels = smooth_pixels()
    basis = fit_patch_basis(pixels, 4, 48)
    assert torch.allclose(basis.decode(basis.encode(pixels)), pixels, atol=1e-4)


def test_the_autoencoder_starts_as_the_linear_code() -> None:
    pixels = smooth_pixels()
    basis = fit_patch_basis(pixels, 4, 16)
    autoencoder = build_autoencoder(TeacherShape())
    autoencoder.start_from(basis)
    with torch.no_grad():
        code = autoencoder.encode(pixels).latent_dist.mean
        assert torch.allclose(code, basis.encode(pixels), atol=1e-5)
        assert torch.allclose(autoencoder.decode(code).sample, basis.decode(code), atol=1e-5)


def test_white_latents_leave_the_linear_denoiser_its_closed_form_error() -> None:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(512, 2, 4, 4, generator=generator)
    denoiser = fit_gaussian_denoiser(latents)
    fresh, noise = (torch.randn(512, 2, 4, 4, generator=generator) for _ in range(2))
    signal = torch.full((512,), 0.7)
    guess = denoiser.predict_noise(0.7**0.5 * fresh + 0.3**0.5 * noise, signal)
    # Predicting unit noise in unit signal leaves the share of the signal in the sum.
    assert abs(float((guess - noise).square().mean()) - 0.7) < 0.03


def test_the_linear_denoiser_uses_neighbours_and_channels() -> None:
    generator = torch.Generator().manual_seed(0)
    level = torch.randn(512, 1, 1, 1, generator=generator)
    latents = level.expand(512, 2, 4, 4)
    denoiser = fit_gaussian_denoiser(latents)
    noise = torch.randn(latents.shape, generator=generator)
    signal = torch.full((512,), 0.5)
    guess = denoiser.predict_noise(0.5**0.5 * (latents + noise), signal)
    assert float((guess - noise).square().mean()) < 0.05  # 32 equal values: 1/33 is left
