"""The process that keeps a Ray node with a device; it takes the node away when its owner ends, however that ends.

Speaks JSON over a pipe. It says `up` when the node has joined its cluster, `refused` with `why` when another device
has the name, and `failed` with `why` when the node cannot be kept.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from nas.domain.device_state import DeviceOffer
from workers.child_process import ALIVE_S, OwnerLine, end_now
from workers.device_node import labels_of, offer_in, resource_of
from workers.offered_device import VARIABLE
from workers.ray_cluster import QUIET

OBJECT_STORE_BYTES = 100 * 2**20
JOINED = "Ray runtime started"
"""What Ray says when a node is up."""
FAREWELL_S = 5.0
"""How long a node may take to leave: what it measures is lost to others anyway, and they try again."""
CENSUS_S = 20.0


def host(connection: Connection, offer: DeviceOffer, address: str, node_ip: str) -> None:
    """Keep a node until the pipe ends or the node does.

    Args:
        connection: To the owner.
        offer: What the node offers.
        address: Where the head of the cluster listens.
        node_ip: Address under which others reach this machine; empty lets Ray find out.
    """
    line = OwnerLine(connection)
    line.listen()
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
    with contextlib.suppress(OSError), tempfile.TemporaryDirectory(prefix="blocksmith-node-") as folder:
        if why := rival_of(offer, offers_at(address)):
            line.say("refused", why=why)
            return
        log = Path(folder) / "node.log"
        with log.open("wb") as written:
            node = subprocess.Popen(
                node_command(offer, address, node_ip),
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                env={**os.environ, VARIABLE: offer.model_dump_json()},
            )
        try:
            _keep(line, node, log)
        finally:
            remove(node)
    end_now()


def node_command(offer: DeviceOffer, address: str, node_ip: str) -> list[str]:
    """How Ray is told to start a node without cores, with one device."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", f"--address={address}"]
    return [
        *command,
        "--num-cpus=0",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
        "--disable-usage-stats",
        f"--resources={json.dumps({resource_of(offer.name): 1})}",
        f"--labels={','.join(f'{name}={value}' for name, value in labels_of(offer).items())}",
        *([f"--node-ip-address={node_ip}"] if node_ip else []),
    ]


def offers_at(address: str) -> list[DeviceOffer]:
    """What the nodes of a cluster offer; nothing when it cannot be asked: joining it will tell why."""
    try:
        client = importlib.import_module("ray._raylet").GcsClient(address=address)
        nodes = client.get_all_node_info(timeout=CENSUS_S).values()
        offers = [offer_in(dict(node.labels)) for node in nodes if node.state == 0]
    except Exception:  # Ray's own inside: whatever changes there, the desk of every coordinator looks again
        return []
    return [offer for offer in offers if offer is not None]


def rival_of(offer: DeviceOffer, others: Iterable[DeviceOffer]) -> str:
    """Why an offer must not be made: its name belongs to a device that is another one. Empty when it may."""
    for other in others:
        if other.name == offer.name and other.fingerprint != offer.fingerprint and not _is_ghost(other, offer):
            mine, theirs = offer.device.model_dump(mode="json"), other.device.model_dump(mode="json")
            mine, theirs = {**mine, **mine.pop("labels")}, {**theirs, **theirs.pop("labels")}
            unlike = [name for name in sorted(mine.keys() | theirs.keys()) if mine.get(name) != theirs.get(name)]
            told = "; ".join(f"{name}: here {mine.get(name)!r}, there {theirs.get(name)!r}" for name in unlike)
            return f"{other.worker} offers another device named {offer.name!r} ({told})."
    return ""


def remove(node: subprocess.Popen[bytes]) -> None:
    """Have a node leave its cluster, and end whatever it started."""
    family = [node.pid]
    with contextlib.suppress(psutil.NoSuchProcess):
        family += [process.pid for process in psutil.Process(node.pid).children(recursive=True)]
    node.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        node.wait(FAREWELL_S)
    for pid in family:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _keep(line: OwnerLine, node: subprocess.Popen[bytes], log: Path) -> None:
    is_up = False
    while node.poll() is None:
        with contextlib.suppress(queue.Empty):
            if line.commands.get(timeout=ALIVE_S) is None:
                return
        if not is_up and JOINED in log.read_text(errors="replace"):
            is_up = True
            line.say("up")
        line.say("alive")
    lines = [said for said in log.read_text(errors="replace").splitlines() if said.strip()]
    line.say("failed", why=f"The Ray node ended: {(lines or ['it said nothing'])[-1][:300]}")


def _is_ghost(other: DeviceOffer, offer: DeviceOffer) -> bool:
    """Whether an offer was made by a dead process of this machine: the cluster has not noticed yet."""
    machine, _, pid = other.worker.rpartition(":")
    own, _, _ = offer.worker.rpartition(":")
    return machine == own and pid.isdigit() and not psutil.pid_exists(int(pid))
