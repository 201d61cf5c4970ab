"""What every device promises. A device that cannot be used on this machine is held to saying so."""

from __future__ import annotations

from functools import cache
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from nas.domain.device import LatencyKind, LatencyMeasurement, LatencyProtocol, LayerLatency, Precision
from nas.errors import EvaluationError
from nas.estimation.devices import DEVICES, base
from nas.estimation.devices.base import DeviceBackend, Subject

QUICK = LatencyProtocol(warmup=1, repeats=3, seconds=0.0)


class Small(nn.Module):
    """A convolution, a group norm, an activation and a linear layer, and a second input."""

    def __init__(self, channels: int, seed: int | None) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(4, channels, 3, padding=1)
        self.norm = nn.GroupNorm(4, channels)
        self.linear = nn.Linear(12, channels)
        if seed is not None:  # without one, its normalisation is as untrained as a library's new block
            generator = torch.Generator().manual_seed(seed)
            for parameter in self.requires_grad_(False).parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))

    def forward(self, hidden: Tensor, temb: Tensor) -> Tensor:
        return nn.functional.silu(self.norm(self.convolution(hidden))) + self.linear(temb)[:, :, None, None]


def small(channels: int = 8, seed: int | None = None) -> Subject:
    generator = torch.Generator().manual_seed(0)
    inputs = {
        "hidden": torch.randn(1, 4, 8, 8, generator=generator),
        "temb": torch.randn(1, 12, generator=generator),
    }
    return Subject(Small(channels, seed).eval(), inputs)


def protocol_of(device: DeviceBackend) -> LatencyProtocol:
    return QUICK.evolve(precision=device.precisions[0])


@cache
def measured(name: str, channels: int = 8, seed: int | None = None) -> LatencyMeasurement:
    """Once for all tests: compilers take seconds."""
    device = DEVICES.get(name)
    return device.measure(small(channels, seed), protocol_of(device))


def profile_of(device: DeviceBackend) -> tuple[LayerLatency, ...] | EvaluationError:
    try:
        return device.profile(small(), protocol_of(device))
    except EvaluationError as cannot:
        return cannot


def says_that_it_is_absent(device: DeviceBackend) -> bool:
    """Whether the device cannot be used here; then a measurement must be refused with its own sentence."""
    absent = device.absence()
    if not absent:
        return False
    assert "\n" not in absent
    assert not absent.endswith(".")  # it becomes part of a sentence
    with pytest.raises(EvaluationError) as refused:
        device.measure(small(), protocol_of(device))
    assert absent in str(refused.value)
    return True


@pytest.fixture(params=DEVICES.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def device(name: str) -> DeviceBackend:
    return DEVICES.get(name)


def test_a_device_tells_what_it_is(name: str, device: DeviceBackend) -> None:
    if says_that_it_is_absent(device):
        return
    told = device.describe(protocol_of(device))
    assert told.name == name
    assert told.backend
    assert any(digit.isdigit() for digit in told.runtime), "a runtime has a version"
    assert told.kind in get_args(LatencyKind)
    assert told.labels["precision"] == device.precisions[0]
    assert told == device.describe(protocol_of(device))


def test_a_device_times_a_small_network(name: str, device: DeviceBackend) -> None:
    if says_that_it_is_absent(device):
        return
    latency = measured(name)
    assert 0 < latency.interval_ms[0] <= latency.median_ms <= latency.interval_ms[1]
    assert latency.device == device.describe(latency.protocol)
    assert latency.seconds > 0
    if latency.device.kind == "measured":
        assert len(latency.samples_ms) >= QUICK.repeats
    else:  # no clock ran: there is nothing to repeat and no drift to correct
        assert len(latency.samples_ms) == 1
        assert latency.relative is None


def test_the_subject_is_the_graph_and_not_its_weights(name: str, device: DeviceBackend) -> None:
    if says_that_it_is_absent(device):
        return
    untrained, one, other = measured(name), measured(name, seed=1), measured(name, seed=2)
    assert one.subject == other.subject
    assert measured(name, channels=12, seed=1).subject != one.subject
    if untrained.device.kind != "measured":
        assert untrained.median_ms == one.median_ms == other.median_ms


def test_a_device_tells_where_the_time_goes_or_that_it_cannot(name: str, device: DeviceBackend) -> None:
    if says_that_it_is_absent(device):
        return
    layers = profile_of(device)
    if isinstance(layers, EvaluationError):
        assert "where the time goes" in layers.message
        return
    assert layers
    assert all(layer.name and layer.operator and layer.unit and layer.ms >= 0 for layer in layers)
    assert sum(layer.ms for layer in layers) > 0


def test_a_precision_that_a_device_does_not_run_is_refused(device: DeviceBackend) -> None:
    if says_that_it_is_absent(device):
        return
    for precision in set(get_args(Precision)) - set(device.precisions):
        for refused in (device.measure, device.profile):
            with pytest.raises(EvaluationError, match=f"does not run {precision}.*{device.precisions[0]}"):
                refused(small(), QUICK.evolve(precision=precision))


def test_a_device_without_its_packages_names_the_extra(
    device: DeviceBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_is_there", lambda module: False)
    if not device.needs:
        return
    assert says_that_it_is_absent(device)
    for needed in (*device.needs, device.extra):
        assert needed in device.absence()


def test_every_extra_that_a_device_names_exists() -> None:
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(base.__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    assert {device.extra for _, device in DEVICES if device.extra} <= set(extras)
