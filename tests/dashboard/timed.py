"""What the hardware panel and the page of devices show: a search on two devices, and devices in every state."""

from __future__ import annotations

import time

from nas.domain.device import Device
from nas.domain.device_state import DeviceState
from nas.domain.value import FrozenDict
from tests.api.filled import a_search, fill
from tests.api.test_hardware import TRIALS, TWO, time_everything
from tests.dashboard.scene import Scene

ON_TWO, ON_NONE, UNDISTILLED = "timed", "plain", "bare"


def fill_searches(scene: Scene) -> None:
    """One search timed on two devices, one on none, and one that has no block yet."""
    timed = a_search(ON_TWO)
    time_everything(scene.database, fill(scene.database, timed.evolve(spec=timed.spec.evolve(latency=TWO)), TRIALS))
    fill(scene.database, a_search(ON_NONE, seed=3), 6)
    with scene.database.unit_of_work() as uow:
        uow.searches.add(a_search(UNDISTILLED, seed=9))
        uow.commit()


def note_devices(scene: Scene) -> None:
    """What a coordinator sees at this moment: it is believed for some seconds."""
    now = time.time()
    host = Device(name="host", backend="onnxruntime", runtime="onnxruntime 1.31.0", kind="measured")
    phone = Device(name="pixel-8", backend="adb", runtime="litert 2.1", kind="measured")
    states = (
        DeviceState(
            name="host",
            device=host,
            condition="available",
            since=now - 7300,
            worker="bench-1:4711",
            canary_ms=1.31,
            baseline_ms=1.3,
            is_in_pool=True,
        ),
        DeviceState(
            name="pixel-8",
            device=phone,
            labels=FrozenDict({"room": "lab 2", "serial": "<b>R5</b>"}),
            condition="busy",
            since=now - 12,
            worker="bench-2:815",
            canary_ms=2.09,
            baseline_ms=2.09,
        ),
        DeviceState(
            name="pixel-6",
            device=phone.evolve(name="pixel-6"),
            condition="quarantined",
            since=now - 40,
            worker="bench-2:816",
            canary_ms=3.9,
            baseline_ms=3.1,
            reason="Its canary takes 25.8 % longer than on arrival.",
        ),
    )
    with scene.database.unit_of_work() as uow:
        uow.devices.note("one", states)
        uow.commit()
