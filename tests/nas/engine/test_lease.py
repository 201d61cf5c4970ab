from __future__ import annotations

import time

import pytest

from nas.engine.lease import Lease
from nas.errors import Conflict
from storage.in_memory import InMemoryDatabase
from tests.fakes.clock import FakeClock


def test_a_heart_keeps_a_lease_through_a_long_silence() -> None:
    database, clock = InMemoryDatabase(), FakeClock()
    lease = Lease(database.unit_of_work, clock, "alpha", "first", ttl_s=0.3)
    lease.acquire(0.0)
    with lease.beating():
        time.sleep(0.7)
        with pytest.raises(Conflict):
            Lease(database.unit_of_work, clock, "alpha", "second", ttl_s=0.3).acquire(0.0)
    time.sleep(0.4)
    Lease(database.unit_of_work, clock, "alpha", "second", ttl_s=0.3).acquire(0.0)


def test_a_heart_that_cannot_reach_the_database_beats_on() -> None:
    database, clock = InMemoryDatabase(lock_timeout_s=0.05), FakeClock()
    lease = Lease(database.unit_of_work, clock, "alpha", "first", ttl_s=0.6)
    lease.acquire(0.0)
    with lease.beating():
        with database.unit_of_work():
            time.sleep(0.5)
        time.sleep(0.5)
        with database.unit_of_work() as uow:
            lease.require(uow)


def test_giving_a_lease_back_twice_is_harmless() -> None:
    database, clock = InMemoryDatabase(), FakeClock()
    lease = Lease(database.unit_of_work, clock, "alpha", "first", ttl_s=10.0)
    lease.acquire(0.0)
    lease.release()
    lease.release()
    Lease(database.unit_of_work, clock, "alpha", "second", ttl_s=10.0).acquire(0.0)


def test_a_lease_that_was_never_taken_allows_nothing() -> None:
    database, clock = InMemoryDatabase(), FakeClock()
    lease = Lease(database.unit_of_work, clock, "alpha", "first", ttl_s=10.0)
    with database.unit_of_work() as uow, pytest.raises(Conflict, match="lost"):
        lease.require(uow)
