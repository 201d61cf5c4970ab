"""How fast a driver turns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How fast the search loop turns.

    Attributes:
        poll_s: Longest wait for an answer before intent, bounds and budget are read again.
        lease_ttl_s: After this long without a sign of life, another process may drive the search.
        patience_s: How long a new driver waits for a dead one's lease to expire.
        account_s: How often running time is written down; a killed driver forgets at most this much.
        most_hiccups: Steps in a row that may be lost to a database that is away, before the driver gives up.
        longest_wait_s: Longest pause between two of them.
    """

    poll_s: float = 0.5
    lease_ttl_s: float = 15.0
    patience_s: float = 0.0
    account_s: float = 5.0
    most_hiccups: float = 5
    longest_wait_s: float = 60.0


EVERYDAY = Pace()
"""For a driver of one search, watched by its user."""
