"""Trials with a verdict, packed: a driver of ten thousand of them keeps two megabytes."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Collection, Iterator

from nas.domain.trial import Trial

_LEVEL, _RAW, _MEMORY = 6, -12, 4
"""The window of 4 KiB holds the first row and one more of some hundred bytes; longer rows are packed less tightly."""


class Archive:
    """Trials in the order in which their verdicts came; only ever added to.

    Each is the JSON of its row, compressed by what it has in common with the first one: about 150 bytes
    instead of 2 kB as an object, 20 µs to put in and 30 µs to take out. Nothing is left out. What was
    taken once stays where it is, so another thread may read up to a length while more is added.
    """

    def __init__(self) -> None:
        self._numbers = array("q")
        self._packed: list[bytes] = []
        self._pattern = b""

    def __len__(self) -> int:
        return len(self._packed)

    def add(self, trial: Trial) -> None:
        """Add a trial with a verdict."""
        row = trial.model_dump_json().encode()
        self._pattern = self._pattern or row
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW, _MEMORY, zdict=self._pattern)
        self._numbers.append(trial.number)
        self._packed.append(packer.compress(row) + packer.flush())

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """JSON of the trials from one place to another, in the order of their verdicts."""
        return (self._row(packed) for packed in self._packed[start:stop])

    def trials(self, start: int = 0, stop: int | None = None) -> Iterator[Trial]:
        """Trials from one place to another, in the order of their verdicts."""
        return map(Trial.model_validate_json, self.rows(start, stop))

    def numbered(self, numbers: Collection[int]) -> list[Trial]:
        """Trials of these numbers, in the order of their verdicts."""
        pairs = zip(self._numbers, self._packed, strict=True)
        return [Trial.model_validate_json(self._row(packed)) for number, packed in pairs if number in numbers]

    def without(self, numbers: Collection[int]) -> Archive:
        """An archive of its own without the trials of these numbers."""
        rest = Archive()
        rest._pattern = self._pattern
        for number, packed in zip(self._numbers, self._packed, strict=True):
            if number not in numbers:
                rest._numbers.append(number)
                rest._packed.append(packed)
        return rest

    def _row(self, packed: bytes) -> str:
        unpacker = zlib.decompressobj(_RAW, zdict=self._pattern)
        return (unpacker.decompress(packed) + unpacker.flush()).decode()
