"""Files that workers read and write: artifacts by digest, results by key.

Everything arrives whole or not at all: written aside, forced to the disk, then linked or renamed into
place. All classes here are small and picklable, because they travel to workers.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from nas.errors import CorruptArtifact, NotFound
from storage.seals import StoredFile, fanned_out, is_digest, sealed, unsealed
from storage.whole_files import leftovers, read_whole, set_aside, unwritable, write_whole


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
        if path.exists() and path.stat().st_size == len(content):
            os.utime(path)  # somebody wants it now: retention spares what is young
        else:
            write_whole(path, content, first_wins=False)
        return digest

    def get(self, digest: str) -> bytes:
        """Bytes of a digest, verified on read.

        Raises:
            NotFound: If there is no such artifact, or the digest is none.
            CorruptArtifact: If the bytes no longer match; they are set aside, make them again.
        """
        path = self.path(digest)
        content = read_whole(path)
        if content is None:
            raise _absent(digest)
        if hashlib.sha256(content).hexdigest() != digest:
            set_aside(path)
            raise CorruptArtifact(f"Artifact {digest} is damaged.", "It was set aside; make it again.")
        return content

    def path(self, digest: str) -> Path:
        """Where an artifact lies, or would lie.

        Raises:
            NotFound: If `digest` is not 64 hexadecimal digits: no name may leave the folder.
        """
        return self.root / fanned_out(digest)

    def open(self, digest: str) -> BinaryIO:
        """A file to read from, at any place in it. Not verified: for answers too long to be held in memory.

        Raises:
            NotFound: If there is no such artifact.
        """
        try:
            return self.path(digest).open("rb")
        except FileNotFoundError as error:
            raise _absent(digest) from error

    def size(self, digest: str) -> int:
        """Bytes of an artifact.

        Raises:
            NotFound: If there is no such artifact.
        """
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError as error:
            raise _absent(digest) from error

    def stored(self) -> Iterator[StoredFile]:
        """All artifacts, in no order."""
        return (
            StoredFile(path.name, path.stat().st_size, path.stat().st_mtime)
            for path in self.root.glob("??/??/*")
            if is_digest(path.name)
        )

    def remove(self, digest: str) -> None:
        """Remove an artifact for good; a no-op when there is none."""
        self.path(digest).unlink(missing_ok=True)

    def __contains__(self, digest: object) -> bool:
        return is_digest(digest) and self.path(str(digest)).exists()


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
        content = read_whole(path)
        if content is None:
            return None
        result = unsealed(content, key)
        if result is None:
            set_aside(path)
        return result

    def record(self, key: str, result: str) -> None:
        """Keep a result, atomically. The first one wins.

        Raises:
            TransientError: If the disk is full or cannot be written; nothing half-written is left.
        """
        if self.recall(key) is None:
            write_whole(self._path(key), sealed(key, result), first_wins=True)

    def _path(self, key: str) -> Path:
        return self.root / f"{fanned_out(key)}.json"


class DirectoryWorkspace:
    """What a worker may touch, as folders below one root.

    Args:
        root: Made absolute at once, because a worker starts in another folder.
        kept: Folder of artifacts and results where they are shared by machines; `root` itself by default.
    """

    def __init__(self, root: Path | str, kept: Path | str | None = None) -> None:
        self.root = Path(root).absolute()
        self.kept = self.root if kept is None else Path(kept).absolute()

    @property
    def artifacts(self) -> DirectoryArtifacts:
        """Where weights are kept."""
        return DirectoryArtifacts(self.kept / "artifacts")

    @property
    def journal(self) -> DirectoryJournal:
        """Where results are kept."""
        return DirectoryJournal(self.kept / "journal")

    @property
    def features(self) -> Path:
        """Folder of captured features, shared by the workers of one machine."""
        return made_folder(self.root / "features")

    @property
    def scratch(self) -> Path:
        """Folder of checkpoints of unfinished jobs; may vanish at any time without harm."""
        return made_folder(self.root / "scratch")

    def moved_to(self, root: Path) -> DirectoryWorkspace:
        """The same below another root; artifacts and results stay where machines share them."""
        return DirectoryWorkspace(root, None if self.kept == self.root else self.kept)

    def leftovers(self) -> Iterator[StoredFile]:
        """Files that nobody will ever read: half-written by a killed process, or set aside as damaged."""
        for part in ("artifacts", "journal"):
            for path in leftovers(self.kept / part):
                yield StoredFile(str(path.relative_to(self.kept)), path.stat().st_size, path.stat().st_mtime)

    def remove_leftover(self, name: str) -> None:
        """Remove one of `leftovers`; a no-op when it is gone."""
        (self.kept / name).unlink(missing_ok=True)


def made_folder(folder: Path) -> Path:
    """A folder, made when it is not there.

    Raises:
        TransientError: If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


def _absent(digest: str) -> NotFound:
    return NotFound(f"There is no artifact {digest}.", "It may have been removed; make it again.")
