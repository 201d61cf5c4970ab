"""The process that makes searches move: takes leases, drives loops, shares workers.

Any number of them may run on one database. Knows no HTTP: users write what they want into rows, and a
coordinator acts on it.
"""

from api.coordinator.run import run_coordinator

__all__ = ["run_coordinator"]
