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
        self._ends = array("q")
        self._packed = bytearray()
        self._pattern = b""

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, trial: Trial) -> None:
        """Add a trial with a verdict."""
        row = trial.model_dump_json().encode()
        self._pattern = self._pattern or row
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW, _MEMORY, zdict=self._pattern)
        self._append(trial.number, packer.compress(row) + packer.flush())

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """JSON of the trials from one place to another, in the order of their verdicts."""
        return (self._row(at) for at in range(*slice(start, stop).indices(len(self))))

    def trials(self, start: int = 0, stop: int | None = None) -> Iterator[Trial]:
        """Trials from one place to another, in the order of their verdicts."""
        return map(Trial.model_validate_json, self.rows(start, stop))

    def numbered(self, numbers: Collection[int]) -> list[Trial]:
        """Trials of these numbers, in the order of their verdicts."""
        rows = (self._row(at) for at, number in enumerate(self._numbers) if number in numbers)
        return [Trial.model_validate_json(row) for row in rows]

    def without(self, numbers: Collection[int]) -> Archive:
        """An archive of its own without the trials of these numbers."""
        rest = Archive()
        rest._pattern = self._pattern
        for at, number in enumerate(self._numbers):
            if number not in numbers:
                rest._append(number, self._packed_row(at))
        return rest

    def _append(self, number: int, packed: bytes) -> None:
        self._packed += packed
        self._numbers.append(number)
        self._ends.append(len(self._packed))

    def _packed_row(self, at: int) -> bytes:
        return bytes(self._packed[self._ends[at - 1] if at else 0 : self._ends[at]])

    def _row(self, at: int) -> str:
        unpacker = zlib.decompressobj(_RAW, zdict=self._pattern)
        return (unpacker.decompress(self._packed_row(at)) + unpacker.flush()).decode()
