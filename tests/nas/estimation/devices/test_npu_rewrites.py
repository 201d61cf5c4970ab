from __future__ import annotations

import pytest
import torch
from diffusers.models.embeddings import Timesteps
from torch import Tensor, nn

from nas.estimation.devices.npu_rewrites import FlatGroupNorm, rewritten_for_npu


class Timed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.waves = Timesteps(8, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.norm = nn.GroupNorm(2, 8)

    def forward(self, hidden: Tensor, timestep: Tensor) -> Tensor:
        return self.norm(hidden) + self.waves(timestep)[:, :, None, None]


@pytest.mark.parametrize(("groups", "shape"), [(4, (2, 16, 8, 8)), (32, (1, 64, 5, 7)), (1, (3, 8, 9))])
@pytest.mark.parametrize("affine", [True, False])
def test_a_flat_group_norm_is_a_group_norm(groups: int, shape: tuple[int, ...], affine: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    norm = nn.GroupNorm(groups, shape[1], affine=affine).requires_grad_(False)
    for parameter in norm.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator))
    hidden = torch.randn(shape, generator=generator) * 3 + 1
    assert (FlatGroupNorm(norm)(hidden) - norm(hidden)).abs().max() < 4e-6


def test_the_rewritten_network_computes_the_same_and_the_original_stays_as_it_was() -> None:
    module = Timed().eval()
    before = str(module)
    inputs = {"hidden": torch.randn(1, 8, 4, 4), "timestep": torch.tensor([500])}
    rewritten, given = rewritten_for_npu(module, inputs)
    assert list(given) == ["hidden", "timestep", "waves0"]
    assert str(module) == before
    with torch.no_grad():
        assert (rewritten(*given.values()) - module(*inputs.values())).abs().max() < 4e-6


def test_no_group_norm_and_no_sine_is_left() -> None:
    inputs = {"hidden": torch.randn(1, 8, 4, 4), "timestep": torch.tensor([500])}
    rewritten, given = rewritten_for_npu(Timed(), inputs)
    assert not [child for child in rewritten.modules() if isinstance(child, nn.GroupNorm | Timesteps)]
    graph = torch.export.export(rewritten, tuple(given.values())).graph
    called = {str(node.target) for node in graph.nodes if node.op == "call_function"}
    assert not [operator for operator in called if ".sin." in operator or ".cos." in operator]


def test_a_network_without_a_timestep_keeps_its_inputs() -> None:
    inputs = {"hidden": torch.randn(1, 8, 4, 4)}
    rewritten, given = rewritten_for_npu(nn.GroupNorm(2, 8), inputs)
    assert given is inputs
    assert isinstance(rewritten, FlatGroupNorm)
