"""Owns one device: looks at it, and keeps a Ray node that offers it for as long as wanted."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nas.domain.device import LatencyProtocol
from nas.domain.device_state import NAME_PATTERN, DeviceOffer
from nas.domain.value import FrozenDict
from nas.errors import Conflict, Fault, NotFound, SpecError
from workers.child_process import ChildProcess
from workers.device_host import host

MOST_SILENCE_S = 20.0
LONGEST_START_S = 120.0


def look_at_device(
    name: str, backend: str, labels: Mapping[str, str], *, is_shared: bool, data: Path | None
) -> DeviceOffer:
    """What this machine can offer under a name: fingerprint and canary, measured now.

    Args:
        name: Under which jobs will ask for it.
        backend: Registered device that measures it.
        labels: What is to be known of it; part of its fingerprint.
        is_shared: Whether others use the machine.
        data: Folder for results and scratch of this worker alone; None uses the installation's.

    Raises:
        SpecError: If the name is none.
        UnknownName: If there is no such device registered.
        NotFound: If the device is not here.
    """
    from nas.estimation.devices import DEVICES

    if not re.fullmatch(NAME_PATTERN, name):
        raise SpecError((Fault("--device", f"{name!r} is no name: small letters, digits, dot, dash"),))
    device = DEVICES.get(backend)
    if absent := device.absence():
        raise NotFound(f"Device {name!r} is not here: {absent}.", "A device worker runs beside its device.")
    described = device.describe(LatencyProtocol())
    marked = described.evolve(name=name, labels=FrozenDict({**described.labels, **labels}))
    return DeviceOffer(
        name=name,
        backend=backend,
        device=marked,
        labels=FrozenDict(dict(labels)),
        worker=f"{socket.gethostname()}:{os.getpid()}",
        since=time.time(),
        canary_ms=device.canary_ms(),
        is_shared=is_shared,
        data=str(data.resolve()) if data else "",
    )


def offer_device(
    offer: DeviceOffer,
    address: str,
    stop: threading.Event,
    *,
    node_ip: str = "",
    up: Callable[[], None],
    trouble: Callable[[str], None],
) -> None:
    """Keep a node that offers a device until `stop` is set; a cluster that is away is waited for.

    Args:
        offer: What is offered.
        address: Where the head of the cluster listens.
        stop: Set it to take the node away.
        node_ip: Address under which others reach this machine; empty lets Ray find out.
        up: Called whenever the node has joined.
        trouble: Told why the node is not there; it is started anew.

    Raises:
        Conflict: If another device has the name.
    """
    refusal: list[str] = []

    def hear(said: dict[str, Any]) -> None:
        if said["say"] == "up":
            up()
        elif said["say"] == "refused":
            refusal.append(said["why"])
            stop.set()

    process = ChildProcess(
        "The device's node",
        host,
        (offer, address, node_ip),
        hear=hear,
        lost=lambda why: None if refusal else trouble(why),
        silence_s=lambda: MOST_SILENCE_S if process.is_up.is_set() else LONGEST_START_S,
    )
    process.start()
    stop.wait()
    process.close()
    if refusal:
        raise Conflict(
            f"The name is taken: {refusal[0]}", "Choose another --device name, or make both devices the same."
        )
