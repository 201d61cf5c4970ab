"""What is measured in which order, and what was: one JSON line for each finished measurement, good or bad."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.domain.architecture import TEACHER_VARIANT

Key = tuple[str, str, str, str]
"""Device, kind, what, and the way it was measured."""
Record = dict[str, Any]
FLOOR = "/teacher"
"""Stem and head among the blocks."""
FIRST_NETWORKS = 2
"""The teacher and the winner, which every device measures before anything else."""
COSTLIER: Mapping[str, int] = {"litert": 1, "ethos-u85": 1, "torch-compile": 2}
"""Devices that have to wait, because to convert or compile for them takes minutes."""


@dataclass(frozen=True)
class Job:
    """One measurement.

    Attributes:
        device: On what.
        kind: `network` or `block`.
        what: Choices of a network as JSON, or `stage/variant`.
        way: Digest of the protocol and the calibration.
        name: Of the network, for people.
    """

    device: str
    kind: str
    what: str
    way: str
    name: str

    @property
    def key(self) -> Key:
        """What its record is kept under."""
        return self.device, self.kind, self.what, self.way

    @property
    def head(self) -> Record:
        """What its record begins with."""
        return {
            "device": self.device,
            "kind": self.kind,
            "what": self.what,
            "way": self.way,
            "name": self.name,
        }


class Records:
    """The finished measurements; a half-written line is as if it had never been, a later line stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.by_key: dict[Key, Record] = {}
        kept = path.read_bytes() if path.exists() else b""
        self._is_torn = not kept.endswith(b"\n") and bool(kept)
        for line in kept.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            self.by_key[key_of(record)] = record

    def add(self, record: Record) -> None:
        """Keep a record, in memory and in the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if self._is_torn else "") + json.dumps(record) + "\n")
        self._is_torn = False
        self.by_key[key_of(record)] = record

    def missing(self, jobs: Iterable[Job], again: bool = False) -> list[Job]:
        """The jobs without a record; `again`: those that failed, too."""
        return [job for job in jobs if not (kept := self.by_key.get(job.key)) or (again and "error" in kept)]

    def of(self, jobs: Iterable[Job]) -> list[Record]:
        """The records that are there."""
        return [self.by_key[job.key] for job in jobs if job.key in self.by_key]


def key_of(record: Record) -> Key:
    """What a record is kept under."""
    return record["device"], record["kind"], record["what"], record["way"]


def canonical(choices: Mapping[str, str]) -> str:
    """A network as a key."""
    return json.dumps(dict(sorted(choices.items())))


def blocks_of(stages: Sequence[str], networks: Sequence[Record]) -> list[str]:
    """Every `stage/variant` that some network consists of, stage by stage, and the floor."""
    used = [f"{stage}/{network['choices'].get(stage, TEACHER_VARIANT)}" for stage in stages for network in networks]
    return [FLOOR, *dict.fromkeys(used)]


def planned(ways: Mapping[str, str], networks: Sequence[Record], blocks: Sequence[str]) -> list[Job]:
    """All measurements in the order in which they are made.

    First the first networks on every device. Then cheap devices before costlier ones; among equals everybody has a
    turn with each network and each block, networks and blocks mixed, so that the machine's drift meets both.

    Args:
        ways: Digest of how each device measures; the devices in the order wanted.
        networks: With `name` and `choices`.
        blocks: By `stage/variant`; empty for none.
    """
    devices = sorted(ways, key=lambda device: COSTLIER.get(device, 0))
    jobs = [
        Job(device, "network", canonical(network["choices"]), ways[device], network["name"])
        for device in devices
        for network in networks[:FIRST_NETWORKS]
    ]
    turns = _mixed(
        [("network", canonical(network["choices"]), network["name"]) for network in networks[FIRST_NETWORKS:]],
        [("block", block, block) for block in blocks],
    )
    for tier in sorted({COSTLIER.get(device, 0) for device in devices}):
        among = [device for device in devices if COSTLIER.get(device, 0) == tier]
        jobs += [Job(device, kind, what, ways[device], name) for kind, what, name in turns for device in among]
    return jobs


def _mixed(first: list[tuple[str, str, str]], second: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Both lists in one, each spread evenly and in its order."""
    placed = [((place + 1) / len(own), turn) for own in (first, second) for place, turn in enumerate(own)]
    return [turn for _, turn in sorted(placed, key=lambda one: one[0])]
