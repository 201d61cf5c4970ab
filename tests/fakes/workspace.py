"""A workspace in memory: survives its workers and coordinators, as a disk would."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

from nas.errors import NotFound


class MemoryArtifacts:
    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.files[digest] = content
        return digest

    def get(self, digest: str) -> bytes:
        if digest not in self.files:
            raise NotFound(f"There is no artifact {digest}.")
        return self.files[digest]

    def __contains__(self, digest: object) -> bool:
        return digest in self.files


class MemoryJournal:
    """Attributes:
    recalled: How often a result was found here: work that had to be asked for again.
    """

    def __init__(self) -> None:
        self.results: dict[str, str] = {}
        self.recalled: Counter[str] = Counter()

    def recall(self, key: str) -> str | None:
        self.recalled[key] += key in self.results
        return self.results.get(key)

    def record(self, key: str, result: str) -> None:
        self.results.setdefault(key, result)


class MemoryWorkspace:
    def __init__(self) -> None:
        self.artifacts = MemoryArtifacts()
        self.journal = MemoryJournal()

    @property
    def features(self) -> Path:
        raise AssertionError("the landscape has no features")

    @property
    def scratch(self) -> Path:
        raise AssertionError("the landscape keeps no checkpoints")

    def moved_to(self, root: Path) -> MemoryWorkspace:
        return self
