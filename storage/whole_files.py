"""Files that arrive whole or not at all: written aside, forced to the disk, then moved into place."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nas.errors import DiskFull, TransientError

_ASIDE, _CORRUPT = ".writing-", ".corrupt"


def read_whole(path: Path) -> bytes | None:
    """Bytes of a file, or None when there is none.

    Raises:
        TransientError: If it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TransientError(
            f"{path.name} cannot be read ({error.strerror}).", "Check the disk; try again."
        ) from error


def write_whole(path: Path, content: bytes, *, first_wins: bool) -> None:
    """Put a file in place, durably.

    Args:
        path: Where; folders are made.
        content: What.
        first_wins: Leave a file that is there already; otherwise replace it.

    Raises:
        TransientError: If the disk is full or cannot be written; nothing half-written is left.
    """
    aside = path.with_name(f"{_ASIDE}{uuid.uuid4().hex}")
    try:
        _make_folders(path.parent)
        try:
            with aside.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if first_wins:
                with suppress(FileExistsError):
                    os.link(aside, path)
            else:
                aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        _fsync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error


def set_aside(path: Path) -> None:
    """Take a damaged file out of the way, for a person to look at."""
    with suppress(FileNotFoundError):  # another reader did it
        path.rename(path.with_name(path.name + _CORRUPT))


def leftovers(root: Path) -> Iterator[Path]:
    """Files below a folder that a killed writer left half-written, or that were set aside."""
    return (path for path in root.rglob("*") if path.name.startswith(_ASIDE) or path.name.endswith(_CORRUPT))


def unwritable(path: Path, error: OSError) -> TransientError:
    """The refusal of a disk."""
    kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else TransientError
    return kind(
        f"{path.name} cannot be written ({error.strerror}).", "Free some space or check permissions, then try again."
    )


def _make_folders(folder: Path) -> None:
    if not folder.is_dir():
        _make_folders(folder.parent)
        folder.mkdir(exist_ok=True)
        _fsync_folder(folder.parent)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
