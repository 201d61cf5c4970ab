"""Plays `adb` and a phone: started as a program by the tests, never imported.

Commands run in this machine's shell with the phone's folder mapped to one of the test's. What goes wrong is read from
`phone.json` beside the folder, so that a test can change its mind while a measurement runs.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[0]).resolve().parent
PLACE = "/data/local/tmp"
PHONE = json.loads((HERE / "phone.json").read_text())
PROPERTIES = {
    "ro.soc.model": "SM8650",
    "ro.product.model": "SM-S921B",
    "ro.build.version.release": "14",
    "ro.build.version.sdk": "34",
    "ro.build.version.incremental": "S921BXXS3AXE5",
}


def main(arguments: list[str]) -> int:
    if arguments == ["devices"]:
        print("List of devices attached")
        for serial, state in PHONE["phones"].items():
            print(f"{serial}\t{state}")
        print()
        return 0
    assert arguments[0] == "-s", arguments
    serial, what, *rest = arguments[1:]
    if PHONE["phones"].get(serial) != "device":
        print(f"adb: device '{serial}' not found", file=sys.stderr)
        return 1
    if what == "get-state":
        print("device")
        return 0
    if what == "push":
        for file in rest[:-1]:
            shutil.copy(file, on_disk(rest[-1]))
        return 0
    assert what == "shell", what
    return shell(serial, rest[0])


def shell(serial: str, line: str) -> int:
    words = shlex.split(line)
    with (HERE / "log.txt").open("a") as log:
        log.write(line + "\n")
    if words[0] == "getprop":
        print("\n".join(f"[{name}]: [{value}]" for name, value in PROPERTIES.items()))
        return 0
    if words[0] == "dumpsys":
        heat = PHONE["heat"]
        now = heat.pop(0) if len(heat) > 1 else heat[0]
        (HERE / "phone.json").write_text(json.dumps(PHONE))
        print(f"Current temperatures from HAL:\n\tTemperature{{mValue={now}, mType=0, mName=CPU, mStatus=0}}")
        return 0
    if "scaling_cur_freq" in line:
        print("1804800\n3302400")
        return 0
    if "LD_LIBRARY_PATH" in line and PHONE["fault"] == "vanishes":
        PHONE["phones"].pop(serial)
        (HERE / "phone.json").write_text(json.dumps(PHONE))
        print("error: closed", file=sys.stderr)
        return 1
    if "LD_LIBRARY_PATH" in line and PHONE["fault"] in ("hangs", "slow"):
        if PHONE["fault"] == "hangs":
            PHONE["phones"][serial] = "offline"
            (HERE / "phone.json").write_text(json.dumps(PHONE))
        time.sleep(30)
    return subprocess.run(["sh", "-c", line.replace(PLACE, str(HERE / "disk"))], check=False).returncode


def on_disk(path: str) -> str:
    return path.replace(PLACE, str(HERE / "disk"))


sys.exit(main(sys.argv[1:]))
