"""How fast: one file per runtime, behind one contract and one measurement protocol.

Importing this package registers every device; a new one costs its file and one line here. Does not predict: a
latency was taken by a clock on the device it names, or says in its label that it was not.
"""

from nas.estimation.devices import (
    adb,
    analytic,
    cuda,
    ethos_u,
    litert,
    onnxruntime,
    openvino,
    qai_hub,
    torch_compile,
    torch_eager,
)
from nas.estimation.devices.base import DEVICES

DEVICE_MODULES = (adb, analytic, cuda, ethos_u, litert, onnxruntime, openvino, qai_hub, torch_compile, torch_eager)

__all__ = ["DEVICES", "DEVICE_MODULES"]
