"""Baselines: really from scratch, really of the same size."""

from __future__ import annotations

import pytest
import torch

from nas.adaptation.baselines import from_scratch, uniformly_narrow
from nas.errors import EvaluationError, UnknownName
from nas.reference import reference_teacher_folder
from nas.space.teachers.folder import read_json
from tests.builders.tiny_unet import CONFIG
from tests.nas.adaptation.restoration.tiny import ARCHITECTURE

REFERENCE = read_json(reference_teacher_folder() / "unet" / "config.json")


def params(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_from_scratch_is_the_same_network_with_weights_of_its_seed() -> None:
    first, again, other = (from_scratch(CONFIG, ARCHITECTURE, seed) for seed in (0, 0, 1))
    assert dict(first.config.architecture) == ARCHITECTURE
    weights = [network.denoiser.stem.conv_in.weight for network in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    latent = torch.randn(1, 4, 8, 8)
    assert first(latent, 5, torch.randn(1, 3, 8)).sample.shape == latent.shape
    assert bool(torch.isfinite(first(latent, 5, torch.randn(1, 3, 8)).sample).all())


@pytest.mark.parametrize("wanted", [1_300_000, 1_600_000, 4_000_000])
def test_the_narrowed_teacher_is_as_large_as_asked(wanted: int) -> None:
    config = uniformly_narrow(REFERENCE, wanted)
    narrow = from_scratch(config, {}, 0)
    assert params(narrow) == pytest.approx(wanted, rel=0.12)
    assert config["down_block_types"] == REFERENCE["down_block_types"]
    widths = config["block_out_channels"]
    assert widths == sorted(widths)
    assert all(width % REFERENCE["norm_num_groups"] == 0 for width in widths)


def test_a_stage_or_variant_that_is_not_there_is_named() -> None:
    for architecture in ({"E9": "removed"}, {"E1": "nonsense"}):
        with pytest.raises(UnknownName, match=r"E9|nonsense"):
            from_scratch(CONFIG, architecture, 0)


def test_a_size_that_no_narrowed_teacher_has_is_refused() -> None:
    with pytest.raises(EvaluationError, match="about 1,000 parameters"):
        uniformly_narrow(REFERENCE, 1000)
