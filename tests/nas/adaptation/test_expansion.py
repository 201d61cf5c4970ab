"""More latent channels: the published counts, the old inside, and that VAE and U-Net learn what they should."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

from nas.adaptation.crops import CropSource, encoded
from nas.adaptation.expansion import AutoencoderTask, JointTask, expand, expanded_config, with_necks
from nas.adaptation.noise_schedule import NoiseSchedule
from nas.space.teachers.codec import LatentCodec
from nas.training.loop import train
from nas.training.plan import TrainingPlan
from tests.builders.tiny_unet import CONFIG
from tests.nas.adaptation.restoration.tiny import tiny_codec
from tests.nas.space.networks import SD15

CROPS = CropSource(32)


def params(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def a_unet() -> UNet2DConditionModel:
    torch.manual_seed(0)
    return UNet2DConditionModel.from_config(CONFIG)


def a_vae(channels: int) -> AutoencoderKL:
    torch.manual_seed(1)
    return AutoencoderKL.from_config({**tiny_codec().vae.config, "latent_channels": channels})


def test_the_expanded_stable_diffusion_has_the_published_number_of_params() -> None:
    with torch.device("meta"):
        assert params(UNet2DConditionModel.from_config(SD15)) == 859_520_964
        wide = UNet2DConditionModel.from_config(expanded_config(SD15, 16))
    assert params(wide) == 859_590_096


def test_everything_but_the_ends_is_kept() -> None:
    old = a_unet()
    new = expand(old, 16)
    kept = old.state_dict()
    for name, value in new.state_dict().items():
        if name.split(".")[0] in ("conv_in", "conv_out"):
            assert not torch.equal(value.flatten()[:8], kept[name].flatten()[:8])
        else:
            assert torch.equal(value, kept[name])
    assert torch.equal(expand(old, 16).conv_in.weight, new.conv_in.weight)
    assert not torch.equal(expand(old, 16, seed=1).conv_in.weight, new.conv_in.weight)
    latent = torch.randn(1, 16, 8, 8)
    assert new(latent, 5, torch.randn(1, 3, 8)).sample.shape == latent.shape


@pytest.mark.parametrize(("inwards", "outwards"), [((16, 4), ()), ((16, 8, 4), (4, 8, 16))])
def test_necks_take_and_give_the_new_channels(inwards: tuple[int, ...], outwards: tuple[int, ...]) -> None:
    latent = torch.randn(1, 16, 8, 8)
    made = with_necks(a_unet(), inwards, outwards)
    assert made(latent, 5, torch.randn(1, 3, 8)).sample.shape == latent.shape


def test_a_wider_autoencoder_learns_the_latents_of_another(tmp_path: Path) -> None:
    teacher, student = LatentCodec(a_vae(16).eval()), a_vae(16)
    torch.nn.init.zeros_(student.quant_conv.weight)
    trained = train(
        AutoencoderTask(student, teacher, CROPS, 4), TrainingPlan(40, 3e-3, 1e-4, warmup=4), tmp_path / "vae"
    )
    assert trained.curve[-1][1] < 0.8 * trained.curve[0][1]


def test_joint_training_moves_both_and_keeps_the_latents_from_collapsing(tmp_path: Path) -> None:
    vae, unet = a_vae(16), expand(a_unet(), 16)
    teacher = LatentCodec(a_vae(16).eval())
    before = (vae.decoder.conv_in.weight.clone(), unet.conv_in.weight.clone())
    schedule = NoiseSchedule(DDIMScheduler())
    task = JointTask(unet, vae, teacher, schedule, CROPS, torch.zeros(1, 3, 8), batch=4)
    trained = train(task, TrainingPlan(30, 3e-3, 1e-4, warmup=3), tmp_path / "joint")
    assert not torch.equal(vae.decoder.conv_in.weight, before[0])
    assert not torch.equal(unet.conv_in.weight, before[1])
    assert trained.curve[-1][1] < trained.curve[0][1]
    crops = CROPS.crops(0, 4)
    ours, theirs = encoded(LatentCodec(trained.network["vae"]), crops), encoded(teacher, crops)
    assert float(ours.std()) == pytest.approx(float(theirs.std()), rel=0.3)
