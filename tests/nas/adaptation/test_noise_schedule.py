"""The arithmetic of diffusion, against diffusers' own and against an oracle."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler

from nas.adaptation.noise_schedule import PREDICTIONS, NoiseSchedule
from nas.errors import InvalidSearchSpace

CLEAN = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
NOISE = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(1))
TIMES = torch.tensor([1, 400, 999])


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_a_right_prediction_gives_the_clean_latent(prediction: str) -> None:
    scheduler = DDIMScheduler(prediction_type=prediction)
    schedule = NoiseSchedule(scheduler)
    noisy = schedule.noised(CLEAN, NOISE, TIMES)
    assert torch.allclose(noisy, scheduler.add_noise(CLEAN, NOISE, TIMES), atol=1e-6)
    target = schedule.target(CLEAN, NOISE, TIMES)
    if prediction == "v_prediction":
        assert torch.allclose(target, scheduler.get_velocity(CLEAN, NOISE, TIMES), atol=1e-6)
    assert torch.allclose(schedule.clean(noisy, target, TIMES), CLEAN, atol=1e-3)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("steps", [1, 3, 20])
def test_a_run_with_an_oracle_ends_at_the_truth(prediction: str, steps: int) -> None:
    schedule = NoiseSchedule(DDIMScheduler(prediction_type=prediction))
    calls: list[int] = []

    def oracle(noisy: torch.Tensor, when: torch.Tensor) -> torch.Tensor:
        calls.append(int(when[0]))
        share = schedule.signal_share[when][:, None, None, None]
        noise = (noisy - share.sqrt() * CLEAN) / (1 - share).sqrt()
        return schedule.target(CLEAN, noise, when)

    begun = schedule.noised(CLEAN, NOISE, torch.full((3,), 800))
    ended = schedule.full_run(oracle, begun, steps, first=800)
    assert torch.allclose(ended, CLEAN, atol=1e-3)
    assert (len(calls), calls[0]) == (steps, 800)
    assert calls == sorted(calls, reverse=True)


def test_a_run_takes_the_steps_of_ddim() -> None:
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False)
    schedule = NoiseSchedule(scheduler)
    network = torch.nn.Conv2d(4, 4, 3, padding=1)
    ours = schedule.full_run(lambda noisy, when: network(noisy), NOISE, 2)
    noisy = NOISE
    with torch.no_grad():
        for now, following in ((999, 500), (500, None)):
            predicted = network(noisy)
            share = scheduler.alphas_cumprod[now]
            clean = (noisy - (1 - share).sqrt() * predicted) / share.sqrt()
            if following is None:
                assert torch.allclose(ours, clean, atol=1e-3)
                return
            share = scheduler.alphas_cumprod[following]
            noisy = share.sqrt() * clean + (1 - share).sqrt() * predicted


def test_an_unknown_kind_of_prediction_is_refused() -> None:
    scheduler = DDIMScheduler()
    scheduler.register_to_config(prediction_type="score")
    with pytest.raises(InvalidSearchSpace, match="score"):
        NoiseSchedule(scheduler)
