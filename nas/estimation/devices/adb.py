"""An attached Android phone: a benchmark program is pushed beside the model and timed where it runs.

Never run with a real phone; a stand-in for `adb` plays one in the tests.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nas.domain.device import Device, LatencyMeasurement, LatencyProtocol, LayerLatency
from nas.domain.value import FrozenDict
from nas.errors import EvaluationError, NasError, TransientError
from nas.estimation.devices.adb_phone import Phone, attached
from nas.estimation.devices.adb_runners import RESULT, Runner, Timings, runner_of
from nas.estimation.devices.base import DEVICES, DeviceBackend, Subject, count_fallbacks, measurement
from nas.estimation.devices.surroundings import told

PLACE = "/data/local/tmp"
ROUNDS = 3
"""So often the program is started again until the protocol's seconds are filled."""


@dataclass(frozen=True)
class Installed:
    """A program and a model on a phone.

    Attributes:
        phone: The phone.
        runner: The program's.
        folder: Where both lie.
        model: The model's file name.
        digest: Of the model's graph.
    """

    phone: Phone
    runner: Runner
    folder: str
    model: str
    digest: str

    def run(self, protocol: LatencyProtocol, calls: int, *more: str) -> str:
        """What the program prints when it times so many calls."""
        program = f"./{_program().name}"
        command = [*self.runner.command(self.model, protocol, calls), *more]
        started = 'cd "$0" && rm -f result.csv && LD_LIBRARY_PATH=. exec "$@"'
        return self.phone.run("sh", "-c", started, self.folder, program, *command, timeout_s=protocol.timeout_s)

    def written(self, pattern: str) -> str:
        """Content of what the program wrote."""
        return self.phone.run("sh", "-c", f'cd "$0" && cat {pattern} 2>/dev/null || true', self.folder)


class AndroidPhone(DeviceBackend):
    """Times a network on an attached Android phone with onnxruntime_perf_test (or LiteRT's benchmark_model).

    The program is named in `BLOCKSMITH_ADB_BENCHMARK`; shared libraries beside it are pushed with it. A measurement
    begins when the phone is cool and tells temperature and clock before and after; there is no canary.

    Args:
        pause_s: Seconds between two looks at the temperature.
    """

    precisions = ("fp32", "int8")

    def __init__(self, pause_s: float = 5.0) -> None:
        self._pause_s = pause_s

    def absence(self) -> str:
        """Tells a lacking adb, program or phone, a phone that is not unlocked, and one of several."""
        phone = attached()
        if isinstance(phone, str) and phone.startswith("There is no adb"):
            return phone
        return _lacking_program() or (phone if isinstance(phone, str) else "")

    def require(self, protocol: LatencyProtocol) -> None:
        """Refuse what can never be done; a phone may be attached again.

        Raises:
            EvaluationError: If adb or the program is not there, or the precision is not supported.
            TransientError: If the phone is not there, or it is not said which one.
        """
        absent = self.absence()
        if absent and not _lacking_program() and not absent.startswith("There is no adb"):
            raise TransientError(f"{absent}.")
        super().require(protocol)

    def describe(self, protocol: LatencyProtocol) -> Device:
        """Chip, Android, program and its settings; the serial only as a digest.

        Raises:
            TransientError: If the phone does not answer.
        """
        phone, runner = _phone(), _runner()
        facts = phone.properties()
        version = facts.get("ro.build.version.release", "unknown")
        return Device(
            name="adb",
            backend="adb",
            runtime=f"{runner.program} sha256 {_identity(_files())}",
            kind="measured",
            labels=FrozenDict(
                {
                    "soc": facts.get("ro.soc.model") or facts.get("ro.board.platform", "unknown"),
                    "model": facts.get("ro.product.model", "unknown"),
                    "os": f"Android {version} (SDK {facts.get('ro.build.version.sdk', 'unknown')})",
                    "driver": facts.get("ro.build.version.incremental", "unknown"),
                    "phone": hashlib.sha256(phone.serial.encode()).hexdigest()[:12],
                    "threads": str(protocol.threads),
                    "precision": protocol.precision,
                    **runner.labels(),
                }
            ),
        )

    def measure(self, subject: Subject, protocol: LatencyProtocol) -> LatencyMeasurement:
        """Push, wait until the phone is cool, and time; every single time that the program tells is kept."""
        self.require(protocol)
        began = time.monotonic()
        with _installed(subject, protocol) as place:
            cooled = self._cool_down(place.phone)
            before = _state(place.phone, "before")
            timings = _timed(place, protocol)
            after = _state(place.phone, "after")
            layers = _layers(place, protocol) if place.runner.labels().get("provider", "cpu") != "cpu" else ()
            measured = measurement(
                place.digest,
                self.describe(protocol),
                protocol,
                timings.samples_ms,
                fallbacks=count_fallbacks(layers),
                seconds=time.monotonic() - began,
            )
        told_facts = {**cooled, **before, **after, **timings.summary}
        known: LatencyMeasurement = measured.evolve(
            conditions=FrozenDict(told_facts),
            p90_ms=measured.p90_ms if timings.p90_ms is None else timings.p90_ms,
            interval_ms=timings.interval_ms or measured.interval_ms,
        )
        return known

    def profile(self, subject: Subject, protocol: LatencyProtocol) -> tuple[LayerLatency, ...]:
        """Mean time and unit of every operator, by onnxruntime's profiler on the phone."""
        self.require(protocol)
        with _installed(subject, protocol) as place:
            self._cool_down(place.phone)
            return _layers(place, protocol)

    def _cool_down(self, phone: Phone) -> dict[str, str]:
        """Wait while the phone is too hot.

        Raises:
            TransientError: If it does not cool down in time.
        """
        bound_c, limit_s = _number("BLOCKSMITH_ADB_COOL_C", 45.0), _number("BLOCKSMITH_ADB_COOL_TIMEOUT_S", 600.0)
        began = time.monotonic()
        while (hottest := phone.hottest_c()) is not None and hottest > bound_c:
            if time.monotonic() - began > limit_s:
                raise TransientError(f"The phone is {hottest:g} °C hot and did not cool to {bound_c:g} °C.")
            time.sleep(self._pause_s)
        return {} if hottest is not None else {"cool-down": "the phone tells no temperature"}


def _timed(place: Installed, protocol: LatencyProtocol) -> Timings:
    """At least the protocol's repeats and seconds."""
    calls = protocol.repeats
    samples: tuple[float, ...] = ()
    for _ in range(ROUNDS):
        printed = place.run(protocol, calls)
        timings = place.runner.read(printed, place.written(RESULT), protocol)
        if timings.summary:
            return timings
        samples += timings.samples_ms
        missing_ms = protocol.seconds * 1e3 - sum(samples)
        if missing_ms <= 0 and len(samples) >= protocol.repeats:
            break
        calls = max(3, math.ceil(1.1 * missing_ms * len(samples) / max(1e-6, sum(samples))))
    return Timings(samples)


def _layers(place: Installed, protocol: LatencyProtocol) -> tuple[LayerLatency, ...]:
    """Every operator; on another unit than the provider's it is a fall-back."""
    from nas.estimation.devices.onnxruntime import layers_of

    provider = place.runner.labels().get("provider")
    if provider is None:
        raise EvaluationError(f"{place.runner.program} cannot tell where the time goes.")
    place.run(protocol, protocol.repeats, "-p", "profile")
    try:
        layers = layers_of(json.loads(place.written("profile*.json")), max(1, protocol.warmup))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise TransientError("The profile from the phone cannot be read.") from error
    return tuple(layer.evolve(is_fallback=layer.unit.lower() != provider) for layer in layers)


@contextlib.contextmanager
def _installed(subject: Subject, protocol: LatencyProtocol) -> Iterator[Installed]:
    """Program and model on the phone, in a folder of their own that is removed afterwards."""
    phone, runner = _phone(), _runner()
    with tempfile.TemporaryDirectory(prefix="blocksmith-") as here:
        model, digest = runner.model(subject, protocol, Path(here))
        folder = f"{PLACE}/blocksmith-{secrets.token_hex(6)}"
        try:
            phone.run("mkdir", "-p", folder)
            phone.push([*_files(), model], folder)
            phone.run("chmod", "755", f"{folder}/{_program().name}")
            yield Installed(phone, runner, folder, model.name, digest)
        finally:
            with contextlib.suppress(NasError):  # the phone may be gone, and the error that says so is on its way
                phone.run("rm", "-rf", folder)


def _state(phone: Phone, moment: str) -> dict[str, str]:
    hottest, fastest = phone.hottest_c(), phone.fastest_khz()
    facts = {"temperature_c": hottest, "fastest_core_khz": fastest}
    return {f"{name} {moment}": str(value) for name, value in facts.items() if value is not None}


def _phone() -> Phone:
    phone = attached()
    if isinstance(phone, str):
        raise TransientError(f"{phone}.")
    return phone


def _runner() -> Runner:
    runner = runner_of(_program())
    if runner is None:
        raise EvaluationError(f"{_lacking_program()}.")
    return runner


def _lacking_program() -> str:
    """Why there is no benchmark program, in one sentence with the remedy."""
    if not told("BLOCKSMITH_ADB_BENCHMARK"):
        return (
            "BLOCKSMITH_ADB_BENCHMARK is not set: put the path of onnxruntime_perf_test, built for the phone, there"
        )
    if not _program().is_file():
        return f"There is no file {_program()}, which BLOCKSMITH_ADB_BENCHMARK names: build the benchmark program"
    if runner_of(_program()) is None:
        return f"{_program().name} is no program known here: use onnxruntime_perf_test or benchmark_model"
    return ""


def _program() -> Path:
    return Path(told("BLOCKSMITH_ADB_BENCHMARK"))


def _files() -> list[Path]:
    """The program and the shared libraries beside it."""
    return [_program(), *sorted(_program().parent.glob("*.so"))]


def _identity(files: list[Path]) -> str:
    """Stands for the version, which the programs do not tell."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _number(variable: str, default: float) -> float:
    try:
        return float(told(variable, str(default)))
    except ValueError:
        raise EvaluationError(f"{variable} must be a number.") from None


DEVICES.register("adb")(AndroidPhone())
