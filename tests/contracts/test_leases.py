"""Who may drive a search: on the database's clock, with a token that only grows."""

from __future__ import annotations

import time

from tests.storage.databases import AnyDatabase

SHORT_S = 0.3


def acquire(database: AnyDatabase, holder: str, ttl_s: float = 60.0, name: str = "alpha") -> int | None:
    with database.unit_of_work() as work:
        token = work.leases.acquire(name, holder, ttl_s)
        work.commit()
    return token


def renew(database: AnyDatabase, token: int, ttl_s: float = 60.0) -> bool:
    with database.unit_of_work() as work:
        renewed = work.leases.renew("alpha", token, ttl_s)
        work.commit()
    return renewed


def release(database: AnyDatabase, token: int) -> None:
    with database.unit_of_work() as work:
        work.leases.release("alpha", token)
        work.commit()


def test_a_held_lease_is_refused_to_others(database: AnyDatabase) -> None:
    assert acquire(database, "me") == 1
    assert acquire(database, "you") is None
    assert acquire(database, "you", name="another") == 1


def test_a_lease_expires_and_its_next_holder_gets_a_higher_token(database: AnyDatabase) -> None:
    assert acquire(database, "me", SHORT_S) == 1
    assert acquire(database, "you") is None
    time.sleep(SHORT_S + 0.1)
    assert acquire(database, "you") == 2
    assert not renew(database, 1), "the first holder must notice that it was replaced"
    assert renew(database, 2)


def test_taking_ones_own_lease_again_shuts_out_the_earlier_self(database: AnyDatabase) -> None:
    assert acquire(database, "me") == 1
    assert acquire(database, "me") == 2
    assert not renew(database, 1)


def test_renewing_prolongs(database: AnyDatabase) -> None:
    token = acquire(database, "me", SHORT_S)
    assert token is not None
    assert renew(database, token, 60.0)
    time.sleep(SHORT_S + 0.1)
    assert acquire(database, "you") is None


def test_an_expired_lease_that_nobody_took_can_be_renewed(database: AnyDatabase) -> None:
    token = acquire(database, "me", 0.01)
    assert token is not None
    time.sleep(0.1)
    assert renew(database, token)
    assert acquire(database, "you") is None


def test_a_released_lease_is_free_at_once_and_tokens_go_on_growing(database: AnyDatabase) -> None:
    token = acquire(database, "me")
    assert token is not None
    release(database, token)
    assert not renew(database, token)
    assert acquire(database, "you") == token + 1
    release(database, token)  # too late: a no-op
    assert acquire(database, "me") is None


def test_an_unknown_lease_cannot_be_renewed(database: AnyDatabase) -> None:
    assert not renew(database, 1)
    release(database, 1)
