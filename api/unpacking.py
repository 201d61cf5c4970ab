"""Unpacks the zip of an export, trusting nothing in it: neither names nor sizes nor kinds of files."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO, Final

from nas.errors import Conflict, CorruptArtifact

MAX_FILES: Final = 1_000
MAX_GROWTH: Final = 50
"""Weights hardly compress; a zip that grows more than this is a bomb."""

SMALL_BYTES: Final = 64 * 1024**2
"""What any zip may grow to, however small it is."""

_CHUNK: Final = 1024**2
_REPORT: Final = "report.json"


def require_replaceable(folder: Path) -> None:
    """Refuse to write over anything but an earlier export.

    Raises:
        Conflict: If the folder holds something else.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / _REPORT).is_file())):
        raise Conflict(f"{folder} exists and is no earlier export.", "Choose another --output.")


def unpack_export(archive: Path, folder: Path) -> None:
    """Write the files of an export's zip into a folder, which an earlier export may occupy.

    The folder appears whole or not at all.

    Args:
        archive: The zip.
        folder: Where to write.

    Raises:
        Conflict: If the folder holds something else.
        CorruptArtifact: If the zip is none, leaves the folder, holds links, or is a bomb; nothing was written.
    """
    require_replaceable(folder)
    scratch = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            _extract(opened, scratch, max(SMALL_BYTES, MAX_GROWTH * archive.stat().st_size))
        if folder.exists():
            shutil.rmtree(folder)
        scratch.replace(folder)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise CorruptArtifact(f"{archive.name} is no readable zip: {error}", "Export again.") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _extract(archive: zipfile.ZipFile, folder: Path, most_bytes: int) -> None:
    members = archive.infolist()
    if len(members) > MAX_FILES:
        raise CorruptArtifact(f"The export holds {len(members)} files, more than {MAX_FILES}.", "Export again.")
    folder.mkdir(parents=True)
    left = most_bytes
    for member in members:
        target = _inside(folder, member)
        if member.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("xb") as sink:
            left -= _copy(source, sink, left)


def _inside(folder: Path, member: zipfile.ZipInfo) -> Path:
    """Where a member belongs.

    Raises:
        CorruptArtifact: If that is outside the folder, or the member is no plain file.
    """
    path = PurePosixPath(member.filename)
    kind = stat.S_IFMT(member.external_attr >> 16)
    is_plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
    leaves = path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename
    if leaves or not is_plain or not path.parts:
        raise CorruptArtifact(f"The export holds {member.filename!r}, which does not belong there.", "Export again.")
    return folder.joinpath(*path.parts)


def _copy(source: IO[bytes], sink: IO[bytes], most: int) -> int:
    """Copy at most so many bytes, whatever the zip's directory says; returns how many."""
    copied = 0
    while chunk := source.read(_CHUNK):
        copied += len(chunk)
        if copied > most:
            raise CorruptArtifact("The export unpacks to far more than its size.", "Export again.")
        sink.write(chunk)
    return copied
