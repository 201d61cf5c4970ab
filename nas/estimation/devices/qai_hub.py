"""Phones and boards of Qualcomm AI Hub Workbench: real devices with a Hexagon NPU, rented by the job.

What the service times is the network on its device, with the service's own warm-up and without a canary. Never run
against the real service; its protocol is held to a stub that the service's own client understands.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from nas.domain.device import Device, LatencyMeasurement, LatencyProtocol, LayerLatency
from nas.domain.value import FrozenDict
from nas.errors import EvaluationError, TransientError
from nas.estimation.devices.base import DEVICES, DeviceBackend, Subject, count_fallbacks, measurement
from nas.estimation.devices.surroundings import told

QUEUE_TIMEOUT_S = 7200.0
COMPILE_TIMEOUT_S = 3600.0
"""Compiling is the service's work; how long it takes says little about the network."""
OWN_UNIT = "NPU"


class QaiHub(DeviceBackend):
    """Compiles a network for a real Snapdragon device of Qualcomm AI Hub Workbench and times it there.

    Needs an API token in `QAI_HUB_API_TOKEN` and a device's name in `QAI_HUB_DEVICE`. The NPU computes in fp16 or
    int8; layers that it cannot take run on the GPU or CPU, and are counted as fall-backs.

    Args:
        poll_s: Seconds between two questions after a job.
        queue_timeout_s: How long a device may be busy before a measurement is tried again later.
    """

    needs = ("google.protobuf", "httpx")
    precisions = ("fp16", "int8")

    def __init__(self, poll_s: float = 5.0, queue_timeout_s: float = QUEUE_TIMEOUT_S) -> None:
        self._poll_s, self._queue_timeout_s = poll_s, queue_timeout_s
        self._layers: tuple[object, tuple[LayerLatency, ...]] | None = None

    def absence(self) -> str:
        """Tells a lacking token or device name too; asks the service nothing."""
        if absent := super().absence():
            return absent
        if not told("QAI_HUB_API_TOKEN"):
            return "QAI_HUB_API_TOKEN is not set: put the API token of your AI Hub Workbench account there"
        if not told("QAI_HUB_DEVICE"):
            return "QAI_HUB_DEVICE is not set: put a device's name there as AI Hub Workbench lists it"
        return ""

    def describe(self, protocol: LatencyProtocol) -> Device:
        """Device, chip, NPU, operating system, target runtime and the version of Qualcomm's runtime.

        Raises:
            EvaluationError: If the service has no such device.
            TransientError: If the service does not answer.
        """
        with self._client() as client:
            return _described(protocol, _chosen(client), _runtime(client))

    def measure(self, subject: Subject, protocol: LatencyProtocol) -> LatencyMeasurement:
        """Upload, compile and profile; every raw sample that the service tells is kept."""
        self.require(protocol)
        began = time.monotonic()
        digest, device, profile = self._profiled(subject, protocol)
        layers = _layers(profile)
        self._layers = (digest, device, protocol), layers
        samples, remark = _samples(profile, protocol)
        tools = {f"tool {tool.name}": tool.version for tool in profile.tool_versions}
        measured: LatencyMeasurement = measurement(
            digest,
            device,
            protocol,
            samples,
            fallbacks=count_fallbacks(layers),
            seconds=time.monotonic() - began,
        ).evolve(conditions=FrozenDict({**tools, **remark}))
        return measured

    def profile(self, subject: Subject, protocol: LatencyProtocol) -> tuple[LayerLatency, ...]:
        """Time and compute unit of every layer; those of the last measurement if it was of the same."""
        self.require(protocol)
        if self._layers is not None:
            with tempfile.TemporaryDirectory(prefix="blocksmith-") as folder:
                asked = subject.onnx(Path(folder))[1], self.describe(protocol), protocol
            if self._layers[0] == asked:
                return self._layers[1]
        return _layers(self._profiled(subject, protocol)[2])

    def _client(self) -> Any:
        from nas.estimation.devices.qai_hub_client import PUBLIC_URL, HubClient

        return HubClient(told("QAI_HUB_API_URL", PUBLIC_URL), told("QAI_HUB_API_TOKEN"), self._poll_s)

    def _profiled(self, subject: Subject, protocol: LatencyProtocol) -> tuple[str, Device, Any]:
        """Digest of the graph, the device, and what the service measured."""
        with tempfile.TemporaryDirectory(prefix="blocksmith-") as folder, self._client() as client:
            chosen, runtime = _chosen(client), _runtime(client)
            path, digest = _exported(subject, protocol, Path(folder))
            name = f"blocksmith-{digest[:12]}"
            model = client.upload(path, name)
            pinned = f" --qairt_version {runtime.api_version}" if runtime is not None else ""
            options = f"--target_runtime {_target()} --truncate_64bit_io{pinned}"
            job = client.start_compile(model, chosen, name, options)
            compiled = client.finished(job, self._queue_timeout_s, COMPILE_TIMEOUT_S).compile_job.target_model
            if not compiled.model_id:
                raise TransientError("The service compiled a model and did not tell where it is.")
            options = f"--compute_unit npu --max_profiler_iterations {protocol.warmup + protocol.repeats}{pinned}"
            job = client.start_profile(compiled.model_id, chosen, name, options)
            client.finished(job, self._queue_timeout_s, protocol.timeout_s)
            return digest, _described(protocol, chosen, runtime), client.profile(job)


def _target() -> str:
    """The service's target runtime.

    Raises:
        EvaluationError: If it is not one word: it becomes part of a line of options.
    """
    target = told("QAI_HUB_RUNTIME", "onnx")
    if not target.replace("_", "").isalnum():
        raise EvaluationError("QAI_HUB_RUNTIME must be one word, for instance onnx or tflite.")
    return target


def _chosen(client: Any) -> Any:
    """The one device that the environment names."""
    name, system = told("QAI_HUB_DEVICE"), told("QAI_HUB_OS")
    devices = client.devices(name, system)
    if len(devices) == 1:
        return devices[0]
    if not devices:
        raise EvaluationError(f"The service has no device named {name!r} with system {system or 'of any version'}.")
    raise EvaluationError(
        f"The service has {name!r} with several systems: {', '.join(device.os for device in devices)}.",
        "Name one in QAI_HUB_OS.",
    )


def _runtime(client: Any) -> Any:
    """Qualcomm's runtime that the service takes by default, or None if it does not say."""
    found = [framework for framework in client.frameworks() if "default" in framework.api_tags]
    return next((framework for framework in found if framework.name in ("QAIRT", "QNN")), None)


def _described(protocol: LatencyProtocol, chosen: Any, runtime: Any) -> Device:
    facts = dict(attribute.partition(":")[::2] for attribute in chosen.attributes)
    version = runtime.full_version or runtime.api_version if runtime is not None else "of unknown version"
    return Device(
        name="qai-hub",
        backend="qai-hub",
        runtime=f"QAIRT {version}",
        kind="measured",
        labels=FrozenDict(
            {
                "device": chosen.name,
                "soc": facts.get("chipset") or chosen.soc_description or "unknown",
                "npu": f"hexagon {facts.get('hexagon', 'of unknown version')}",
                "os": f"{facts.get('os', 'unknown')} {chosen.os}",
                "target_runtime": _target(),
                "precision": protocol.precision,
            }
        ),
    )


def _exported(subject: Subject, protocol: LatencyProtocol, folder: Path) -> tuple[Path, str]:
    """An ONNX file in the protocol's precision, and the digest of the graph before it was quantised.

    There is nothing to do for fp16: the NPU computes what is fp32 in a file in fp16.
    """
    from nas.estimation.devices.onnxruntime import quantised

    path, digest = subject.onnx(folder)
    if protocol.precision == "int8":
        path = quantised(path, {name: tensor.numpy() for name, tensor in subject.inputs.items()}, folder)
    return path, digest


def _samples(profile: Any, protocol: LatencyProtocol) -> tuple[tuple[float, ...], dict[str, str]]:
    """Milliseconds of every run after the warm-ups, and a remark where the service keeps them to itself."""
    every = tuple(microseconds / 1e3 for microseconds in profile.all_execution_times)
    if len(every) >= protocol.repeats:
        return every[min(protocol.warmup, len(every) - protocol.repeats) :], {}
    if every:
        return every, {"samples": f"the service took {len(every)} instead of {protocol.repeats}"}
    if not profile.execution_time:
        raise TransientError("The service finished a profile job and told no time.")
    return (profile.execution_time / 1e3,), {"samples": "one estimate by the service; it told no single runs"}


def _layers(profile: Any) -> tuple[LayerLatency, ...]:
    """Every layer; one whose cycles are told instead of its time gets its share of the time that is left."""
    from nas.estimation.devices.qai_hub_messages import UNITS

    counted = sum(layer.execution_cycles for layer in profile.layer_details if not layer.execution_time)
    left_us = max(0, profile.execution_time - sum(layer.execution_time for layer in profile.layer_details))
    told_us = [
        layer.execution_time or left_us * layer.execution_cycles / max(1, counted) for layer in profile.layer_details
    ]
    return tuple(
        LayerLatency(
            name=layer.name or layer.id,
            operator=layer.layer_type_name,
            ms=microseconds / 1e3,
            unit=UNITS.get(layer.compute_unit, "unknown"),
            is_fallback=UNITS.get(layer.compute_unit) != OWN_UNIT,
        )
        for layer, microseconds in zip(profile.layer_details, told_us, strict=True)
    )


DEVICES.register("qai-hub")(QaiHub())
