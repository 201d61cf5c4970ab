"""The key of the machine itself: whoever may read the data directory may do everything with it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from api.access import caller_of, digest_of_secret, new_id, new_secret, split_token, token_of
from api.refusals import Unauthorized
from nas.errors import NotFound

if TYPE_CHECKING:
    from api.installation import Installation

FILE: Final = "local.key"
_NAME: Final = "this machine"


def local_key(installation: Installation) -> str:
    """The installation's own admin key, made at first use and again once it is revoked or lost.

    It stands in `local.key`, readable by its owner alone.
    """
    file = installation.settings.data / FILE
    token = read_local_key(installation.settings.data)
    if token is not None and _is_valid(installation, token):
        os.chmod(file, 0o600)
        return token
    return _make(installation, file)


def read_local_key(data: Path) -> str | None:
    """The key in the data directory, or None when there is none that this user may read."""
    try:
        return (data / FILE).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _is_valid(installation: Installation, token: str) -> bool:
    try:
        key_id, secret = split_token(token)
        with installation.database.reader() as uow:
            caller = caller_of(uow.keys.get(key_id), secret, time.time())
    except (Unauthorized, NotFound):
        return False
    return caller.is_installation_admin


def _make(installation: Installation, file: Path) -> str:
    from storage.administration.keys import ApiKey

    key_id, secret = new_id(), new_secret()
    key = ApiKey(
        id=key_id,
        project=None,
        role="admin",
        name=_NAME,
        secret_digest=digest_of_secret(secret),
        created_at=time.time(),
        expires_at=None,
        revoked_at=None,
    )
    with installation.database.unit_of_work() as uow:
        uow.keys.add(key)
        uow.commit()
    token = token_of(key_id, secret)
    # Written under another name first: the secret never stands in a file that others may read.
    scratch = file.with_name(f".{FILE}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as stream:
        stream.write(token + "\n")
    scratch.replace(file)
    return token
