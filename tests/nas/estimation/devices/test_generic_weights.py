from __future__ import annotations

import torch
from torch import nn

from nas.estimation.devices.generic_weights import with_generic_weights


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 8), nn.LayerNorm(8))


def test_an_untrained_normalisation_gets_weights_that_no_compiler_can_leave_out() -> None:
    generic = with_generic_weights(network())
    for norm in (generic[1], generic[3]):
        for parameter in (norm.weight, norm.bias):
            assert parameter.unique().numel() > 1
            assert not torch.isin(parameter, torch.tensor([0.0, 1.0])).any()
    assert not torch.equal(generic[1].weight, generic[3].weight)


def test_trained_weights_and_the_original_stay_as_they_were() -> None:
    module = network()
    generic = with_generic_weights(module)
    assert torch.equal(generic[0].weight, module[0].weight)
    assert torch.equal(module[1].weight, torch.ones(8))


def test_with_every_weight_replaced_two_networks_are_alike() -> None:
    one, other = (with_generic_weights(network(), every=True).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)
