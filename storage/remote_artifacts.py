"""Artifacts and results in a bucket, or wherever else fsspec reaches: what machines of a cluster share.

An object appears whole or not at all, and writing one again is harmless; where a place cannot promise
that, readers find out, because everything is checked on read. Objects carry only their own address, so
that they travel to workers; credentials come from the environment, as the place's own tools take them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
from fsspec.core import url_to_fs

from nas.errors import CorruptArtifact, Fault, MissingExtra, NotFound, SpecError, TransientError
from storage.artifacts import made_folder
from storage.seals import StoredFile, fanned_out, is_digest, sealed, unsealed

_CORRUPT = ".corrupt"


class _Bucket:
    """A place below a URL."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    @property
    def _place(self) -> tuple[fsspec.AbstractFileSystem, str]:
        """File system and root; fsspec keeps one connection for each address and process."""
        try:
            system, root = url_to_fs(self.url)
        except ImportError as error:
            raise MissingExtra("The place of artifacts needs a package.", f"{error}") from error
        except ValueError as error:
            fault = Fault("/artifacts", f"no address that fsspec knows ({error})", "s3://BUCKET/FOLDER")
            raise SpecError((fault,)) from error
        return system, str(root)

    def _read(self, name: str) -> bytes | None:
        system, root = self._place
        try:
            with _reachable(name):
                return cast(bytes, system.cat_file(f"{root}/{name}"))
        except FileNotFoundError:
            return None

    def _write(self, name: str, content: bytes, *, first_wins: bool) -> None:
        system, root = self._place
        mode = "create" if first_wins else "overwrite"
        path = f"{root}/{name}"
        with _reachable(name):
            try:
                system.pipe_file(path, content, mode=mode)
            except FileExistsError:
                pass  # somebody else was first
            except FileNotFoundError:  # the place has folders, and this one is new
                system.makedirs(path.rpartition("/")[0], exist_ok=True)
                system.pipe_file(path, content)

    def _set_aside(self, name: str) -> None:
        system, root = self._place
        try:
            with _reachable(name):
                system.mv(f"{root}/{name}", f"{root}/{name}{_CORRUPT}")
        except FileNotFoundError:
            pass  # another reader did it

    def remove_file(self, name: str) -> None:
        """Remove what `files` named; a no-op when it is gone."""
        system, root = self._place
        try:
            with _reachable(name):
                system.rm_file(f"{root}/{name}")
        except FileNotFoundError:
            pass

    def files(self) -> Iterator[StoredFile]:
        """Everything below the URL, damaged objects included, named by its place."""
        system, root = self._place
        with _reachable("the list of files"):
            found = system.find(root, detail=True)
        for path, facts in found.items():
            yield StoredFile(path.removeprefix(f"{root}/"), int(facts["size"]), _modified_at(system, path, facts))


class RemoteArtifacts(_Bucket):
    """Content-addressed objects below a URL, `ab/cd/abcd...`."""

    def put(self, content: bytes) -> str:
        """Store bytes, return their SHA-256 digest. Storing the same bytes again only renews their age.

        Raises:
            TransientError: If the place cannot be reached or refuses.
        """
        digest = hashlib.sha256(content).hexdigest()
        self._write(fanned_out(digest), content, first_wins=False)
        return digest

    def get(self, digest: str) -> bytes:
        """Bytes of a digest, verified on read.

        Raises:
            NotFound: If there is no such artifact, or the digest is none.
            CorruptArtifact: If the bytes do not match; they are set aside, make them again.
        """
        content = self._read(fanned_out(digest))
        if content is None:
            raise _absent(digest)
        if hashlib.sha256(content).hexdigest() != digest:
            self._set_aside(fanned_out(digest))
            raise CorruptArtifact(f"Artifact {digest} is damaged.", "It was set aside; make it again.")
        return content

    def open(self, digest: str) -> BinaryIO:
        """A file to read from, at any place in it. Not verified: for answers too long to be held in memory.

        Raises:
            NotFound: If there is no such artifact.
        """
        system, root = self._place
        try:
            with _reachable(digest):
                return cast(BinaryIO, system.open(f"{root}/{fanned_out(digest)}", "rb"))
        except FileNotFoundError as error:
            raise _absent(digest) from error

    def size(self, digest: str) -> int:
        """Bytes of an artifact.

        Raises:
            NotFound: If there is no such artifact.
        """
        system, root = self._place
        try:
            with _reachable(digest):
                return int(system.size(f"{root}/{fanned_out(digest)}"))
        except FileNotFoundError as error:
            raise _absent(digest) from error

    def stored(self) -> Iterator[StoredFile]:
        """All artifacts, in no order."""
        for file in self.files():
            digest = file.name.rpartition("/")[2]
            if is_digest(digest):
                yield file._replace(name=digest)

    def remove(self, digest: str) -> None:
        """Remove an artifact for good; a no-op when there is none."""
        self.remove_file(fanned_out(digest))

    def __contains__(self, digest: object) -> bool:
        if not is_digest(digest):
            return False
        system, root = self._place
        with _reachable(str(digest)):
            return bool(system.exists(f"{root}/{fanned_out(str(digest))}"))


class RemoteJournal(_Bucket):
    """Results of finished jobs by key, one JSON object each with a checksum of its own."""

    def recall(self, key: str) -> str | None:
        """JSON of the result of a finished job, or None.

        A torn or corrupt entry is set aside and counts as None: the job is simply run again.
        """
        name = f"{fanned_out(key)}.json"
        content = self._read(name)
        if content is None:
            return None
        result = unsealed(content, key)
        if result is None:
            self._set_aside(name)
        return result

    def record(self, key: str, result: str) -> None:
        """Keep a result. The first one wins, as far as the place can decide that; both would be right.

        Raises:
            TransientError: If the place cannot be reached or refuses.
        """
        if self.recall(key) is None:
            self._write(f"{fanned_out(key)}.json", sealed(key, result), first_wins=True)


class RemoteWorkspace:
    """Artifacts and results in a bucket, features and scratch on the machine.

    Args:
        root: Folder of what stays on the machine.
        url: Where the rest lies.
    """

    def __init__(self, root: Path | str, url: str) -> None:
        self.root = Path(root).absolute()
        self.url = url.rstrip("/")

    @property
    def artifacts(self) -> RemoteArtifacts:
        """Where weights are kept."""
        return RemoteArtifacts(f"{self.url}/artifacts")

    @property
    def journal(self) -> RemoteJournal:
        """Where results are kept."""
        return RemoteJournal(f"{self.url}/journal")

    @property
    def features(self) -> Path:
        """Folder of captured features, shared by the workers of one machine."""
        return made_folder(self.root / "features")

    @property
    def scratch(self) -> Path:
        """Folder of checkpoints of unfinished jobs; may vanish at any time without harm."""
        return made_folder(self.root / "scratch")

    def moved_to(self, root: Path) -> RemoteWorkspace:
        """The same with another folder for what stays on the machine."""
        return RemoteWorkspace(root, self.url)

    def leftovers(self) -> Iterator[StoredFile]:
        """Objects that nobody will ever read: set aside as damaged."""
        return (file for file in _Bucket(self.url).files() if file.name.endswith(_CORRUPT))

    def remove_leftover(self, name: str) -> None:
        """Remove one of `leftovers`; a no-op when it is gone."""
        _Bucket(self.url).remove_file(name)


@contextmanager
def _reachable(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise TransientError(
            f"The place of artifacts refuses or cannot be reached ({type(error).__name__} at {name}).",
            "Check network, credentials and quota, then try again.",
        ) from error


def _modified_at(system: fsspec.AbstractFileSystem, path: str, facts: dict[str, Any]) -> float:
    # Each kind of place has its own word for it; asking for every file would be one call each.
    known = next((facts[name] for name in ("mtime", "LastModified", "created") if facts.get(name)), None)
    moment = system.modified(path) if known is None else known
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)


def _absent(digest: str) -> NotFound:
    return NotFound(f"There is no artifact {digest}.", "It may have been removed; make it again.")
