"""An Android phone at the end of a cable: run, push and read through `adb`, always with a time-out."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from nas.errors import EvaluationError, TransientError
from nas.estimation.devices.surroundings import told

ANSWER_TIMEOUT_S = 15.0
PUSH_TIMEOUT_S = 600.0
GONE = re.compile(r"device '.*' not found|no devices/emulators found|device offline|unauthorized|error: closed")
COMPUTING = (0, 1, 9)
"""Android's kinds of temperatures: CPU, GPU, NPU."""
COMPUTING_ZONES = ("cpu", "gpu", "soc", "npu", "tsens", "big", "mid", "little")


@dataclass(frozen=True)
class Phone:
    """A phone.

    Attributes:
        serial: How adb tells it from others.
        answer_timeout_s: For questions that a phone answers at once.
    """

    serial: str
    answer_timeout_s: float = ANSWER_TIMEOUT_S

    def run(self, *words: str, timeout_s: float | None = None) -> str:
        """What a command prints on the phone.

        Raises:
            EvaluationError: If the command fails, or takes longer than `timeout_s` while the phone is well.
            TransientError: If the phone is gone or hangs.
        """
        limit_s = timeout_s or self.answer_timeout_s
        try:
            done = _adb("-s", self.serial, "shell", shlex.join(words), timeout_s=limit_s)
        except subprocess.TimeoutExpired:
            if timeout_s is not None and self._answers():
                raise EvaluationError(f"{Path(words[0]).name} ran for longer than {limit_s:g} s.") from None
            raise TransientError(f"The phone did not answer within {limit_s:g} s.") from None
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            last = said[-1][:300] if said else "it said nothing"
            if GONE.search(done.stderr) or not self._answers():
                raise TransientError(f"The phone went away: {last.replace(self.serial, 'SERIAL')}")
            raise EvaluationError(f"{Path(words[0]).name} failed on the phone ({done.returncode}): {last}")
        return done.stdout

    def push(self, files: list[Path], folder: str) -> None:
        """Copy files into a folder of the phone.

        Raises:
            TransientError: If that fails: it says nothing about a network.
        """
        try:
            done = _adb("-s", self.serial, "push", *map(str, files), folder, timeout_s=PUSH_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise TransientError("The phone did not take a file in time.") from None
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [""])[-1][:300].replace(self.serial, "SERIAL")
            raise TransientError(f"A file could not be copied to the phone: {last}")

    def properties(self) -> dict[str, str]:
        """Everything that Android tells about itself."""
        return dict(re.findall(r"^\[(.+?)\]: \[(.*)\]$", self.run("getprop"), flags=re.MULTILINE))

    def hottest_c(self) -> float | None:
        """Temperature of the hottest thing that computes, or None if the phone does not tell."""
        known = temperature_of_service(self._asked("dumpsys", "thermalservice"))
        if known is None:
            zones = "for z in /sys/class/thermal/thermal_zone*; do echo $(cat $z/type) $(cat $z/temp); done"
            known = temperature_of_zones(self._asked("sh", "-c", zones))
        return known

    def fastest_khz(self) -> int | None:
        """Clock of the fastest core at the moment, or None if the phone does not tell."""
        asked = self._asked("sh", "-c", "cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq; true")
        return max((int(line) for line in asked.split() if line.isdigit()), default=None)

    def _asked(self, *words: str) -> str:
        """What a question prints; nothing where the phone does not know it."""
        try:
            return self.run(*words)
        except EvaluationError:
            return ""

    def _answers(self) -> bool:
        try:
            done = _adb("-s", self.serial, "get-state", timeout_s=self.answer_timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return done.stdout.strip() == "device"


def attached() -> Phone | str:
    """The phone to be used, or in one sentence with the remedy why there is none."""
    if shutil.which("adb") is None:
        return "There is no adb on PATH: install Android's platform tools"
    try:
        listed = _adb("devices", timeout_s=ANSWER_TIMEOUT_S).stdout
    except subprocess.TimeoutExpired:
        return f"adb did not list its phones within {ANSWER_TIMEOUT_S:g} s: try adb kill-server"
    phones = dict(re.findall(r"^(\S+)\t(.+)$", listed, flags=re.MULTILINE))
    wanted = told("ANDROID_SERIAL")
    if wanted and wanted not in phones:
        return f"No phone {wanted} is attached, which ANDROID_SERIAL names: attach it"
    if not wanted and len(phones) > 1:
        return f"Several phones are attached: name one of {', '.join(sorted(phones))} in ANDROID_SERIAL"
    if not phones:
        return "No phone is attached: attach one and switch on USB debugging"
    serial = wanted or next(iter(phones))
    if phones[serial] == "unauthorized":
        return "The phone does not trust this machine: unlock it and allow USB debugging"
    if phones[serial] != "device":
        return f"The phone is {phones[serial]}: attach it anew"
    return Phone(serial)


def temperature_of_service(dumped: str) -> float | None:
    """Hottest computing part by `dumpsys thermalservice`; what it has cached is old and is not read."""
    current = dumped.partition("Current temperatures from HAL:")[2].partition("Current cooling devices")[0]
    found = re.findall(r"mValue=(-?[\d.]+(?:E-?\d+)?), mType=(-?\d+)", current)
    # Sensors without a reading say absolute zero or worse.
    known = [float(value) for value, kind in found if int(kind) in COMPUTING and float(value) > 0]
    return max(known, default=None)


def temperature_of_zones(listed: str) -> float | None:
    """Hottest computing part by the kernel's thermal zones, one `type millidegrees` a line."""
    found = re.findall(r"^(\S+) (\d+)$", listed, flags=re.MULTILINE)
    known = [int(value) / 1e3 for zone, value in found if zone.lower().startswith(COMPUTING_ZONES)]
    return max((value for value in known if 0 < value < 150), default=None)


def _adb(*arguments: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    # Output that is no text is garbage, not an accident of this process.
    return subprocess.run(
        ["adb", *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
        stdin=subprocess.DEVNULL,
    )
