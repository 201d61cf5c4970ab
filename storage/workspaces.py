"""Which workspace an installation has."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from storage.artifacts import DirectoryWorkspace
from storage.remote_artifacts import RemoteWorkspace

AnyWorkspace = DirectoryWorkspace | RemoteWorkspace


def open_workspace(data: Path | str, artifacts_url: str = "") -> AnyWorkspace:
    """The workspace of a data directory; nothing is touched before it is used.

    Args:
        data: Folder of what stays on the machine.
        artifacts_url: Where artifacts and results are kept: empty for `data` itself, a path or `file://` for
            a folder that machines share, otherwise anything fsspec knows.
    """
    address = urlsplit(artifacts_url)
    if not artifacts_url or address.scheme in ("", "file"):
        # Links make a folder's writes atomic, which fsspec's own view of a folder does not.
        return DirectoryWorkspace(data, url2pathname(address.path) or None)
    return RemoteWorkspace(data, artifacts_url)
