"""Which architectures need not be proposed again, at eight bytes for each that was tried."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nas.strategy.pricing import Codes


class Tried:
    """A set of architectures that only grows, as sorted numbers.

    Of a space below 2^63 the number is the architecture's place in it; beyond, a fixed random combination of
    its variant numbers modulo 2^64, which two of a million share with a chance of 1 in 10^7: then one is
    never proposed.

    Args:
        cardinalities: Number of variants of each stage.
    """

    def __init__(self, cardinalities: Sequence[int]) -> None:
        if math.prod(cardinalities) < 2**63:
            places = [math.prod(cardinalities[stage + 1 :]) for stage in range(len(cardinalities))]
            self._strides = np.array(places, dtype=np.uint64)
        else:
            self._strides = np.random.default_rng(0).integers(2**64, size=len(cardinalities), dtype=np.uint64)
        self._keys = array("Q")

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, codes: Sequence[int]) -> bool:
        key = self._key(codes)
        at = bisect_left(self._keys, key)
        return at < len(self) and self._keys[at] == key

    def add(self, codes: Sequence[int]) -> None:
        """Add an architecture by its variant numbers; one that is there changes nothing."""
        if codes not in self:
            key = self._key(codes)
            self._keys.insert(bisect_left(self._keys, key), key)

    def among(self, codes: Codes, others: Collection[Sequence[int]] = ()) -> npt.NDArray[np.bool_]:
        """Which rows of variant numbers, `n x stages`, are in the set or among the others, `n`."""
        known = np.array([*self._keys, *map(self._key, others)], dtype=np.uint64)
        return np.isin(codes.astype(np.uint64) @ self._strides, known)

    def _key(self, codes: Sequence[int]) -> int:
        return int(np.asarray(codes, dtype=np.uint64) @ self._strides)


@dataclass(frozen=True)
class Seen:
    """Architectures with a verdict, and those without one: nothing of both is proposed again.

    Attributes:
        tried: Those with a verdict; whoever holds this must not add to them.
        pending: Variant numbers of the others.
    """

    tried: Tried
    pending: frozenset[tuple[int, ...]] = frozenset()

    def __len__(self) -> int:
        return len(self.tried) + len(self.pending)

    def __contains__(self, codes: Sequence[int]) -> bool:
        return tuple(codes) in self.pending or codes in self.tried

    def __or__(self, more: Iterable[Sequence[int]]) -> Seen:
        """The same with more that is pending."""
        return Seen(self.tried, self.pending | {tuple(codes) for codes in more if codes not in self.tried})

    def among(self, codes: Codes) -> npt.NDArray[np.bool_]:
        """Which rows of variant numbers, `n x stages`, have been seen, `n`."""
        return self.tried.among(codes, self.pending)
