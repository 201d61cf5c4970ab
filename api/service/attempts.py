"""Failed sign-ins per address: a few are human, many are an attack."""

from __future__ import annotations

import hashlib
import time
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from api.refusals import TooManyRequests
from api.service.least_recent import LRU

FAILURES_PER_MINUTE: Final = 30
_REMEMBERED: Final = 1024


class FailedAttempts:
    """Counts failures by address, in memory: every process of a service counts for itself.

    A blocked address may go on with keys that have worked in this process before: several people, or a
    page with an old key, may share one address.
    """

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._limit = RateLimitItemPerMinute(FAILURES_PER_MINUTE)
        self._proven: LRU[str, bool] = LRU(_REMEMBERED)

    def require_patience(self, address: str, token: str) -> None:
        """Refuse an address that failed too often, whatever it sends now.

        Raises:
            TooManyRequests: Saying when to come back.
        """
        if self._limiter.test(self._limit, address) or self._is_proven(token):
            return
        reset_at = self._limiter.get_window_stats(self._limit, address).reset_time
        wait_s = max(1, round(reset_at - time.time()))
        raise TooManyRequests("Too many failed attempts from this address.", f"Wait {wait_s} seconds.", wait_s)

    def note_failure(self, address: str) -> None:
        """Count a failure."""
        self._limiter.hit(self._limit, address)

    def note_success(self, token: str) -> None:
        """Remember that a token is good; only its digest is kept."""
        self._proven.keep(_digest(token), True)

    def _is_proven(self, token: str) -> bool:
        return bool(self._proven.get(_digest(token)))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
