"""What a device may need to be told by the environment: the one place where device back ends read it.

Where a phone or a service is and how one signs in is true of a machine, not of a search: it is in no spec and in no
cache key. What of it changes a latency is told again by the device's labels. Tokens are read at every use and are
kept nowhere.
"""

from __future__ import annotations

import os

VARIABLES = {
    "ANDROID_SERIAL": "`adb`: serial of the phone, where several are attached",
    "BLOCKSMITH_ADB_BENCHMARK": "`adb`: path of onnxruntime_perf_test, or of LiteRT's benchmark_model, for the phone",
    "BLOCKSMITH_ADB_COOL_C": "`adb`: warmest temperature at which a measurement may begin (45)",
    "BLOCKSMITH_ADB_COOL_TIMEOUT_S": "`adb`: how long to wait until the phone is as cool as that (600)",
    "BLOCKSMITH_ADB_PROVIDER": "`adb`: onnxruntime's execution provider: cpu, xnnpack, nnapi or qnn (cpu)",
    "CXX": "`torch-compile`: the C++ compiler (g++; clang++ on macOS)",
    "QAI_HUB_API_TOKEN": "`qai-hub`: API token",
    "QAI_HUB_API_URL": "`qai-hub`: where the service is, if not at Qualcomm",
    "QAI_HUB_DEVICE": "`qai-hub`: device as the service calls it, for instance `Samsung Galaxy S24`",
    "QAI_HUB_OS": "`qai-hub`: version of the device's operating system, if the service has several",
    "QAI_HUB_RUNTIME": "`qai-hub`: the service's target runtime: onnx, tflite, qnn_dlc, ... (onnx)",
}
"""Every variable that a device back end reads, with its meaning and its default."""


def told(variable: str, default: str = "") -> str:
    """Value of a variable of the environment; the default if it is unset or empty."""
    assert variable in VARIABLES, variable
    return os.environ.get(variable, "").strip() or default
