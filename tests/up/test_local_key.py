"""The key of the machine: made once, kept from others, made again when it is worthless."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from api.access import split_token
from api.installation import Installation
from api.up.local_key import local_key, read_local_key


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "data")


def test_it_is_made_once_and_only_its_owner_may_read_it(installation: Installation) -> None:
    made = local_key(installation)
    file = installation.settings.data / "local.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert local_key(installation) == made == read_local_key(installation.settings.data)


def test_its_secret_does_not_stand_in_the_database(installation: Installation) -> None:
    _, secret = split_token(local_key(installation))
    installation.database.close()
    stored = b"".join(file.read_bytes() for file in installation.settings.data.glob("blocksmith.sqlite*"))
    assert stored
    assert secret.encode() not in stored


def test_permissions_that_were_opened_are_closed_again(installation: Installation) -> None:
    made = local_key(installation)
    file = installation.settings.data / "local.key"
    file.chmod(0o644)
    assert local_key(installation) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["", "nonsense", "bsk_aaaaaaaaaaaa_" + "a" * 43])
def test_one_that_opens_nothing_is_replaced(installation: Installation, damage: str) -> None:
    made = local_key(installation)
    (installation.settings.data / "local.key").write_text(damage)
    again = local_key(installation)
    assert again not in (made, damage)


def test_a_revoked_one_is_replaced(installation: Installation) -> None:
    made = local_key(installation)
    with installation.database.unit_of_work() as uow:
        uow.keys.revoke(split_token(made)[0], 0.0)
        uow.commit()
    assert local_key(installation) != made
