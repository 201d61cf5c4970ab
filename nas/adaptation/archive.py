"""A folder as one artifact: a zip whose bytes depend on nothing but what is in the folder."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

from nas.domain.job import ExportedNetwork
from nas.ports import ArtifactStore

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every packed file: the same network gives the same archive."""


def stored(folder: Path, artifacts: ArtifactStore) -> ExportedNetwork:
    """Pack a folder, and keep the archive."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="pack-") as draft:
        archive = Path(draft) / "network.zip"
        _pack(folder, archive)
        content = archive.read_bytes()
    return ExportedNetwork(artifact=artifacts.put(content), size_bytes=len(content))


def _pack(folder: Path, archive: Path) -> None:
    """Zip a folder, uncompressed: weights do not shrink."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED, allowZip64=True) as packed:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _EPOCH)
            with packed.open(entry, "w", force_zip64=True) as target, file.open("rb") as source:
                while block := source.read(2**20):
                    target.write(block)
