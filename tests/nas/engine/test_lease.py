from __future__ import annotations

import time

import pytest

from nas.engine.lease import Heart, Lease, LeaseLost
from nas.errors import Conflict, TransientError
from storage.in_memory import InMemoryDatabase
from tests.fakes.clock import FakeClock


def test_a_heart_keeps_a_lease_through_a_long_silence() -> None:
    database, clock = InMemoryDatabase(), FakeClock()
    lease = Lease(database.unit_of_work, clock, "alpha", "first", ttl_s=0.3)
    lease.acquire(0.0)
    with Heart(database.unit_of_work, ttl_s=0.3) as heart, heart.keeping(lease):
        time.sleep(0.7)
        with pytest.raises(Conflict):
            Lease(database.unit_of_work, clock, "alpha", "second", ttl_s=0.3).acquire(0.0)
    time.sleep(0.4)
    Lease(database.unit_of_work, clock, "alpha", "second", ttl_s=0.3).acquire(0.0)


def test_a_heart_that_cannot_reach_the_database_beats_on() -> None:
    database, clock = InMemoryDatabase(lock_timeout_s=0.05), FakeClock()
    lease = Lease(database.unit_of_work, clock, "alpha", "first", ttl_s=0.6)
    lease.acquire(0.0)
    with Heart(database.unit_of_work, ttl_s=0.6) as heart, heart.keeping(lease):
        with database.unit_of_work():
            time.sleep(0.5)
        time.sleep(0.5)
        with database.unit_of_work() as uow:
            lease.require(uow)


def test_one_heart_keeps_many_leases_and_notices_the_one_that_was_lost() -> None:
    database, clock = InMemoryDatabase(), FakeClock()
    leases = [Lease(database.unit_of_work, clock, name, "first", ttl_s=0.3) for name in ("alpha", "beta")]
    for lease in leases:
        lease.acquire(0.0)
    with database.unit_of_work() as uow:
        uow.leases.release("beta", 1)
        uow.leases.acquire("beta", "second", 60.0)
        uow.commit()
    with Heart(database.unit_of_work, ttl_s=0.3) as heart, heart.keeping(leases[0]), heart.keeping(leases[1]):
        until = time.monotonic() + 5.0
        while leases[1].is_held and time.monotonic() < until:
            time.sleep(0.02)
        assert [lease.is_held for lease in leases] == [True, False]
    with database.unit_of_work() as uow, pytest.raises(LeaseLost):
        leases[1].require(uow)


class Overtaken:
    """A renewal that waits while the lease is acquired anew, and then finds its token gone."""

    def __init__(self, lease: Lease) -> None:
        self.leases = self
        self._lease = lease

    def renew(self, name: str, token: int, ttl_s: float) -> bool:
        del name, token, ttl_s
        self._lease.acquire(0.0)
        return False


def test_a_beat_that_is_overtaken_by_a_new_acquisition_loses_nothing() -> None:
    database = InMemoryDatabase()
    lease = Lease(database.unit_of_work, FakeClock(), "alpha", "first", ttl_s=10.0)
    lease.acquire(0.0)
    assert not lease.renew(Overtaken(lease))  # type: ignore[arg-type]  # all that a beat asks of a unit of work
    assert lease.is_held
    with database.unit_of_work() as uow:
        lease.require(uow)


def test_an_acquisition_that_could_not_be_committed_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    database = InMemoryDatabase()
    lease = Lease(database.unit_of_work, FakeClock(), "alpha", "first", ttl_s=10.0)

    def fail(_: object) -> None:
        raise TransientError("The database went away.")

    with database.unit_of_work() as uow:
        monkeypatch.setattr(type(uow), "commit", fail)
    with pytest.raises(TransientError):
        lease.acquire(0.0)
    assert not lease.is_held


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
