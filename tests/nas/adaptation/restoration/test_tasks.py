"""Guided denoising and one step: what they begin with, what they learn from, and that they learn it."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from nas.adaptation.crops import CropSource
from nas.adaptation.restoration.guided import guided
from nas.adaptation.restoration.pairs import PairSource
from nas.adaptation.restoration.tasks import (
    AdaptationTask,
    GuidedDenoiser,
    OneStepTask,
    visibility,
)
from nas.domain.adaptation import OneStepPath, OneStepTerms
from nas.space.teachers.load import LoadedTeacher
from nas.training.loop import train
from nas.training.plan import TrainingPlan
from tests.nas.adaptation.restoration.tiny import (
    TOKENS,
    schedule,
    tiny_codec,
    tiny_denoiser,
    tiny_network,
    tiny_teacher,
)

PLAN = OneStepPath(start=300, noise=0.0, run_start=300, run_steps=2)
LATENT = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
GUIDE = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
TIMES = torch.tensor([10, 900])


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> LoadedTeacher:
    return tiny_teacher(tmp_path_factory.mktemp("teacher"))


@pytest.fixture(scope="module")
def source() -> PairSource:
    return PairSource(CropSource(32), tiny_codec(), 4, "bicubic")


def test_a_guide_says_nothing_before_it_is_learned(teacher: LoadedTeacher) -> None:
    plain = tiny_network(teacher)
    wider = guided(plain)
    assert (wider.config.in_channels, wider.config.teacher["out_channels"]) == (8, 4)
    context = TOKENS.expand(2, -1, -1)
    with torch.no_grad():
        expected = plain(LATENT, TIMES, context).sample
        found = wider(torch.cat((LATENT, 100 * GUIDE), dim=1), TIMES, context).sample
    assert torch.allclose(found, expected, atol=1e-5)
    assert sum(p.numel() for p in wider.parameters()) - sum(p.numel() for p in plain.parameters()) == 8 * 4 * 9


def test_a_step_without_noise_begins_at_the_guide(teacher: LoadedTeacher) -> None:
    denoiser = tiny_denoiser(teacher)
    for parameter in denoiser.network.denoiser.head.parameters():
        parameter.data.zero_()  # predicts no noise
    with torch.no_grad():
        assert torch.allclose(denoiser.in_one_step(GUIDE, torch.zeros_like(GUIDE), 300), GUIDE, atol=1e-5)
        assert not torch.allclose(denoiser.in_one_step(GUIDE, LATENT, 300), GUIDE, atol=1e-1)


def test_many_steps_of_which_there_is_one_are_one_step(teacher: LoadedTeacher) -> None:
    denoiser = tiny_denoiser(teacher)
    denoiser.network.eval()
    with torch.no_grad():
        one = denoiser.in_one_step(GUIDE, LATENT, 300)
        assert torch.allclose(denoiser.in_many_steps(GUIDE, LATENT, 300, 1), one, atol=1e-5)
        assert not torch.allclose(denoiser.in_many_steps(GUIDE, LATENT, 300, 3), one, atol=1e-3)


def test_pairs_are_the_same_places_and_a_function_of_their_seed(source: PairSource) -> None:
    first, again, other = source.pool(0, 8), source.pool(0, 8), source.pool(1, 8)
    assert first.truth.shape == first.guide.shape == (8, 4, 8, 8)
    assert first.pixels.shape == (8, 32, 32, 3)
    assert torch.equal(first.truth, again.truth)
    assert torch.equal(first.guide, again.guide)
    assert not torch.equal(first.truth, other.truth)
    nearest = torch.cdist(first.guide.flatten(1), first.truth.flatten(1)).argmin(dim=1)
    assert (nearest == torch.arange(8)).float().mean() >= 0.75


def test_adaptation_learns_to_predict_noise_with_the_guide(
    teacher: LoadedTeacher, source: PairSource, tmp_path: Path
) -> None:
    task = AdaptationTask(tiny_denoiser(teacher), source, batch=8, pool=16)
    trained = train(task, TrainingPlan(60, 1e-2, 1e-4, warmup=5), tmp_path / "adaptation")
    assert trained.curve[-1][1] < 0.8 * trained.curve[0][1]
    assert trained.network.denoiser.stem.conv_in.weight[:, 4:].abs().max() > 0


def test_the_terms_of_one_step_are_what_they_say(teacher: LoadedTeacher, source: PairSource) -> None:
    denoiser = tiny_denoiser(teacher)
    pairs = source.pool(0, 4)

    def loss(terms: OneStepTerms) -> float:
        task = OneStepTask(denoiser, denoiser, source, 4, PLAN, terms, pool=4)
        with torch.no_grad():
            return float(task.loss(0))

    denoiser.network.eval()
    chosen = torch.randint(4, (4,), generator=source.crops.noise_generator("one step", 0))
    with torch.no_grad():
        made = denoiser.in_one_step(pairs.guide[chosen], torch.zeros_like(pairs.guide[chosen]), PLAN.start)
    assert loss(OneStepTerms(run=0.0, truth=1.0)) == pytest.approx(
        float(functional.mse_loss(made, pairs.truth[chosen])), rel=1e-4
    )
    assert loss(OneStepTerms(run=0.0, truth=3.0)) == pytest.approx(
        3 * loss(OneStepTerms(run=0.0, truth=1.0)), rel=1e-4
    )
    assert loss(OneStepTerms(run=0.0, truth=1.0, pixels=1.0)) > loss(OneStepTerms(run=0.0, truth=1.0))
    noise = torch.randn(pairs.truth.shape, generator=source.crops.noise_generator("runs", 0))
    with torch.no_grad():
        ends = denoiser.in_many_steps(pairs.guide, noise, PLAN.run_start, PLAN.run_steps)
    assert loss(OneStepTerms()) == pytest.approx(float(functional.mse_loss(made, ends[chosen])), rel=1e-4)


def test_one_step_learns_where_the_full_run_ends(teacher: LoadedTeacher, source: PairSource, tmp_path: Path) -> None:
    many = tiny_denoiser(teacher)
    student = GuidedDenoiser(copy.deepcopy(many.network), schedule(), TOKENS)
    task = OneStepTask(student, many, source, 8, PLAN, OneStepTerms(), pool=16)
    trained = train(task, TrainingPlan(60, 1e-2, 1e-4, warmup=5), tmp_path / "one-step")
    assert trained.curve[-1][1] < 0.7 * trained.curve[0][1]
    assert all(
        torch.equal(a, b)
        for a, b in zip(many.network.parameters(), tiny_denoiser(teacher).network.parameters(), strict=True)
    )


def test_a_channel_that_no_pixel_shows_counts_nothing() -> None:
    codec = tiny_codec()
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    assert float(visibility(codec, latents).mean()) == pytest.approx(1.0, abs=1e-5)
    codec.vae.post_quant_conv.weight.data[:, 2] = 0.0
    weights = visibility(codec, latents).flatten()
    assert weights[2] == 0.0
    assert (weights[[0, 1, 3]] > 0.0).all()
