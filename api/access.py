"""Who is calling: keys, their secrets, and what a caller may do.

A key reads `bsk_ID_SECRET`. The id is public; of the secret (256 bits) only the SHA-256 is stored: a
slow hash protects guessable passwords, and nobody guesses this. An unknown id, a wrong secret, a
revoked and an expired key get one and the same answer, after the same work.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.refusals import Forbidden, Unauthorized
from api.schemas.administration import Role

if TYPE_CHECKING:
    from storage.administration import ApiKey

RANKS: Final[dict[Role, int]] = {"reader": 0, "submitter": 1, "admin": 2}
DEFAULT_PROJECT: Final = "default"

_ID_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_TOKEN: Final = re.compile(r"bsk_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
_NOBODYS_DIGEST: Final = hashlib.sha256(b"nobody").hexdigest()
_REFUSED: Final = Unauthorized(
    "The key is not valid.", "It may be mistyped, expired or revoked; ask an admin of your project for a new one."
)


@dataclass(frozen=True)
class Caller:
    """Somebody with a valid key.

    Attributes:
        key: Id of the key, `local` for commands on this machine.
        project: The one project the key is for; None for the whole installation.
        role: What it may do.
        name: What it was called when it was made.
    """

    key: str
    project: str | None
    role: Role
    name: str

    def sees(self, project: str | None) -> bool:
        """Whether something of this project exists for the caller."""
        return self.project is None or self.project == project

    @property
    def is_installation_admin(self) -> bool:
        """Whether the caller may make projects, quotas and keys for everybody."""
        return self.project is None and self.role == "admin"


LOCAL_CALLER: Final = Caller(key="local", project=None, role="admin", name="this machine")


def require_role(caller: Caller, role: Role) -> None:
    """Refuse a caller whose role is too low.

    Raises:
        Forbidden: Naming the role that may.
    """
    if RANKS[caller.role] < RANKS[role]:
        raise Forbidden(f"A {caller.role} may not do this.", f"It takes a key with the role {role}.")


def require_installation_admin(caller: Caller) -> None:
    """Refuse everybody but admins of the whole installation.

    Raises:
        Forbidden: Always for others.
    """
    if not caller.is_installation_admin:
        raise Forbidden("Only an admin of the whole installation may do this.", "Ask whoever runs this server.")


def new_id(length: int = 12) -> str:
    """A random id of lower-case letters and digits."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(length))


def new_secret() -> str:
    """256 random bits, 43 characters."""
    return secrets.token_urlsafe(32)


def digest_of_secret(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def token_of(key_id: str, secret: str) -> str:
    """What a client sends behind `Authorization: Bearer`."""
    return f"bsk_{key_id}_{secret}"


def split_token(token: str) -> tuple[str, str]:
    """Id and secret of a token.

    Raises:
        Unauthorized: If it is none.
    """
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise _REFUSED
    return match[1], match[2]


def caller_of(key: ApiKey | None, secret: str, now: float) -> Caller:
    """Who sent a secret with a key's id.

    Args:
        key: The stored key; None when there is none of that id.
        secret: What was sent.
        now: Unix seconds.

    Raises:
        Unauthorized: If there is no such key, or it is not valid now.
    """
    stored = key.secret_digest if key is not None else _NOBODYS_DIGEST
    matches = hmac.compare_digest(stored, digest_of_secret(secret))
    if key is None or not matches or key.revoked_at is not None:
        raise _REFUSED
    if key.expires_at is not None and key.expires_at <= now:
        raise _REFUSED
    return Caller(key=key.id, project=key.project, role=key.role, name=key.name)
