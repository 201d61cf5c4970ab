"""Stored files as answers: read piece by piece, whole or in part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

from fastapi import Header
from starlette.responses import Response, StreamingResponse

from api.refusals import UnsatisfiableRange

if TYPE_CHECKING:
    from storage.workspaces import AnyWorkspace

_CHUNK: Final = 1 << 20
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

Range = Annotated[str | None, Header(max_length=100, description="One range of bytes, to go on where it broke off.")]


def stored_file(workspace: AnyWorkspace, digest: str, media: str, name: str, asked: str | None) -> Response:
    """An artifact as a download.

    Args:
        workspace: Where it is kept.
        digest: Which one.
        media: Its media type.
        name: What the downloaded file is to be called.
        asked: The request's `Range`; several ranges, or what is none, get the whole.

    Raises:
        NotFound: If there is no such artifact any more.
        UnsatisfiableRange: If it has no such bytes.
    """
    size = workspace.artifacts.size(digest)
    part = requested_part(asked, size)
    if part is None:
        raise UnsatisfiableRange(f"The file has {size} bytes and none of those asked for.", "Ask for the whole.")
    first, last = part
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{digest}"',
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(last - first + 1),
    }
    is_whole = last - first + 1 == size
    if not is_whole:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    pieces = _pieces(workspace.artifacts.open(digest), first, last - first + 1)
    return StreamingResponse(pieces, 200 if is_whole else 206, headers, media_type=media)


def requested_part(asked: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte of a request's `Range`; None if there are no such bytes."""
    match = _RANGE.fullmatch(asked.strip()) if asked else None
    if match is None or not (match[1] or match[2]):
        return 0, size - 1
    if match[1]:
        first, last = int(match[1]), min(int(match[2]) if match[2] else size - 1, size - 1)
    else:
        first, last = max(0, size - int(match[2])), size - 1
    return (first, last) if first <= last else None


def _pieces(file: BinaryIO, first: int, length: int) -> Iterator[bytes]:
    with file:
        file.seek(first)
        while length > 0 and (piece := file.read(min(_CHUNK, length))):
            length -= len(piece)
            yield piece
