"""Devices that nobody has at hand: a roofline per operator over the ONNX graph, one YAML file per target.

Every file in `targets` is a device under its own name; `load_target` reads one from anywhere. Does not measure: what
it tells is labelled `model`, with an interval, and is as good as its target's sources or its calibration.
"""

from pathlib import Path

from nas.estimation.devices.analytic.device import AnalyticDevice
from nas.estimation.devices.analytic.target import Target, load_target, write_target
from nas.estimation.devices.base import DEVICES

TARGETS = Path(__file__).parent / "targets"


def register_target(path: Path) -> AnalyticDevice:
    """Make a target a device under its name.

    Raises:
        SpecError: With every fault of the file.
        ValueError: If the name is taken.
    """
    device = AnalyticDevice(load_target(path))
    DEVICES.register(device.target.name)(device)
    return device


for _path in sorted(TARGETS.glob("*.yaml")):
    register_target(_path)

__all__ = ["AnalyticDevice", "Target", "load_target", "register_target", "write_target"]
