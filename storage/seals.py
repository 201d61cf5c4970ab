"""Names and seals of what workers keep, the same in a folder and in a bucket."""

from __future__ import annotations

import hashlib
import json
import re
from typing import NamedTuple

from nas.errors import NotFound

_DIGEST = re.compile(r"[0-9a-f]{64}")


class StoredFile(NamedTuple):
    """One stored file.

    Attributes:
        name: Digest of an artifact; the place of anything else.
        size_bytes: Its size.
        modified_at: Unix seconds at which it was last stored.
    """

    name: str
    size_bytes: int
    modified_at: float


def is_digest(name: object) -> bool:
    """Whether something could name an artifact."""
    return isinstance(name, str) and bool(_DIGEST.fullmatch(name))


def fanned_out(digest: str) -> str:
    """`ab/cd/abcd...`: no folder gets too many files.

    Raises:
        NotFound: If `digest` is not 64 hexadecimal digits: no name may leave its folder.
    """
    if not is_digest(digest):
        raise NotFound(f"{digest[:80]!r} is not a digest.", "A digest has 64 lower-case hexadecimal digits.")
    return f"{digest[:2]}/{digest[2:4]}/{digest}"


def sealed(key: str, result: str) -> bytes:
    """A result as a JSON file that can tell whether it is whole, and whose it is."""
    return json.dumps({"key": key, "result": result, "sha256": _checksum(key, result)}).encode()


def unsealed(content: bytes, key: str) -> str | None:
    """The result in a file of `sealed`, or None when it is torn, damaged or another key's."""
    try:
        entry = json.loads(content)
        result, checksum = entry["result"], entry["sha256"]
    except (ValueError, KeyError, TypeError):
        return None
    return result if isinstance(result, str) and checksum == _checksum(key, result) else None


def _checksum(key: str, result: str) -> str:
    return hashlib.sha256(f"{key}\n{result}".encode()).hexdigest()
