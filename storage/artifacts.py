"""Files that workers read and write: artifacts by digest, results by key.

Everything arrives whole or not at all: written aside, forced to the disk, then linked or renamed into
place. All classes here are small and picklable, because they travel to workers.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from contextlib import suppress
from pathlib import Path

from nas.errors import CorruptArtifact, NotFound, TransientError

_DIGEST = re.compile(r"[0-9a-f]{64}")


class DirectoryArtifacts:
    """Content-addressed files under a folder, `ab/cd/abcd...`.

    Args:
        root: The folder; made when first needed.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).absolute()

    def put(self, content: bytes) -> str:
        """Store bytes, return their SHA-256 digest. Storing the same bytes twice is a no-op.

        Raises:
            TransientError: If the disk is full or cannot be written; nothing half-written is left.
        """
        digest = hashlib.sha256(content).hexdigest()
        path = self.path(digest)
        if not (path.exists() and path.stat().st_size == len(content)):
            _write_whole(path, content, first_wins=False)
        return digest

    def get(self, digest: str) -> bytes:
        """Bytes of a digest, verified on read.

        Raises:
            NotFound: If there is no such artifact, or the digest is none.
            CorruptArtifact: If the bytes no longer match; they are set aside, make them again.
        """
        path = self.path(digest)
        content = _read(path)
        if content is None:
            raise NotFound(f"There is no artifact {digest}.", "It may have been removed; make it again.")
        if hashlib.sha256(content).hexdigest() != digest:
            _set_aside(path)
            raise CorruptArtifact(f"Artifact {digest} is damaged.", "It was set aside; make it again.")
        return content

    def path(self, digest: str) -> Path:
        """Where an artifact lies, or would lie.

        Raises:
            NotFound: If `digest` is not 64 hexadecimal digits: no name may leave the folder.
        """
        return _fan_out(self.root, digest, "")

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, str) and bool(_DIGEST.fullmatch(digest)) and self.path(digest).exists()


class DirectoryJournal:
    """Results of finished jobs by key, one JSON file each with a checksum of its own.

    Args:
        root: The folder; made when first needed.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).absolute()

    def recall(self, key: str) -> str | None:
        """JSON of the result of a finished job, or None.

        A torn or corrupt entry is set aside and counts as None: the job is simply run again.
        """
        path = self._path(key)
        content = _read(path)
        if content is None:
            return None
        result = _opened(content, key)
        if result is None:
            _set_aside(path)
        return result

    def record(self, key: str, result: str) -> None:
        """Keep a result, atomically. The first one wins.

        Raises:
            TransientError: If the disk is full or cannot be written; nothing half-written is left.
        """
        if self.recall(key) is None:
            _write_whole(self._path(key), _sealed(key, result), first_wins=True)

    def _path(self, key: str) -> Path:
        return _fan_out(self.root, key, ".json")


class DirectoryWorkspace:
    """What a worker may touch, as folders below one root.

    Args:
        root: Made absolute at once, because a worker starts in another folder.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).absolute()

    @property
    def artifacts(self) -> DirectoryArtifacts:
        """Where weights are kept."""
        return DirectoryArtifacts(self.root / "artifacts")

    @property
    def journal(self) -> DirectoryJournal:
        """Where results are kept."""
        return DirectoryJournal(self.root / "journal")

    @property
    def features(self) -> Path:
        """Folder of captured features, shared by the workers of one machine."""
        return self._folder("features")

    @property
    def scratch(self) -> Path:
        """Folder of checkpoints of unfinished jobs; may vanish at any time without harm."""
        return self._folder("scratch")

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error
        return folder


def _fan_out(root: Path, digest: str, suffix: str) -> Path:
    if not _DIGEST.fullmatch(digest):
        raise NotFound(f"{digest[:80]!r} is not a digest.", "A digest has 64 lower-case hexadecimal digits.")
    return root / digest[:2] / digest[2:4] / (digest + suffix)


def _sealed(key: str, result: str) -> bytes:
    return json.dumps({"key": key, "result": result, "sha256": _checksum(key, result)}).encode()


def _opened(content: bytes, key: str) -> str | None:
    try:
        entry = json.loads(content)
        result, checksum = entry["result"], entry["sha256"]
    except (ValueError, KeyError, TypeError):
        return None
    return result if isinstance(result, str) and checksum == _checksum(key, result) else None


def _checksum(key: str, result: str) -> str:
    return hashlib.sha256(f"{key}\n{result}".encode()).hexdigest()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TransientError(
            f"{path.name} cannot be read ({error.strerror}).", "Check the disk; try again."
        ) from error


def _set_aside(path: Path) -> None:
    with suppress(FileNotFoundError):  # another reader did it
        path.rename(path.with_name(path.name + ".corrupt"))


def _write_whole(path: Path, content: bytes, *, first_wins: bool) -> None:
    aside = path.with_name(f".writing-{uuid.uuid4().hex}")
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
        raise _unwritable(path, error) from error


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


def _unwritable(path: Path, error: OSError) -> TransientError:
    return TransientError(
        f"{path.name} cannot be written ({error.strerror}).", "Free some space or check permissions, then try again."
    )
