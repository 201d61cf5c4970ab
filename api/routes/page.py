"""The page: static files, and a policy that lets nothing else in."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER: Final = Path(__file__).resolve().parents[1] / "dashboard"
PAGE_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


EDITION: Final = re.compile(r"([0-9a-f]{12})/")


class _PageFiles(StaticFiles):
    """Files of the page, also under the name of an edition: those may be kept without asking."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory, check_dir=False)
        self.edition = ""

    async def get_response(self, path: str, scope: Scope) -> Response:
        named = EDITION.match(path)
        response = await super().get_response(path[named.end() :] if named else path, scope)
        response.headers["Content-Security-Policy"] = PAGE_POLICY
        # Another replica's edition may hold other bytes than ours: never kept under that name.
        known = named is not None and named[1] == self.edition
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if known else "no-cache"
        return response


def install(app: FastAPI) -> None:
    """Serve the page at `/` and its parts at `/static/EDITION/`.

    The edition is a digest of all files: fifty modules are asked for once, and an upgrade shows at once.
    """
    files = _PageFiles(FOLDER)

    @app.get("/", include_in_schema=False)
    def page() -> Response:
        files.edition = _edition()
        text = (FOLDER / "index.html").read_text(encoding="utf-8").replace("/static/", f"/static/{files.edition}/")
        headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
        return HTMLResponse(text, headers=headers)

    app.mount("/static", files, name="static")


def _edition() -> str:
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(FOLDER).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
