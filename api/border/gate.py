"""What every request passes before it reaches a route: host, body, headers, count.

Plain ASGI: nothing here reads a body or waits for one.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.border.answers import incident_response, problem_response
from api.metrics import Metrics
from api.refusals import MisdirectedRequest, UnsupportedMedia
from nas.errors import NasError

SPEC_ROUTES: Final = ("/v1/searches", "/v1/dry-runs")
JSON: Final = "application/json"
YAML: Final = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_HEADERS: Final = {
    "Content-Security-Policy": API_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_UNKNOWN_ROUTE: Final = "(none)"
_QUIET: Final = ("/health/live", "/health/ready", "/metrics")
_LOG = logging.getLogger(__name__)


class Gate:
    """The outermost part of the app.

    Args:
        app: What it protects.
        metrics: Where requests are counted.
        names: Host names under which the server is known. Addresses need no name: a page of a stranger
            can only reach us under a name of its own (DNS rebinding), never under our address.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, names: Iterable[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._names = {"localhost", *(name.lower() for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, is_stream = 500, False
        began = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                is_stream = headers.get("content-type", "").startswith("text/event-stream")
            await send(message)

        try:
            await self._answer(scope, receive, send_with_headers)
        finally:
            self._note(scope, status, None if is_stream else time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float | None) -> None:
        route = getattr(scope.get("route"), "path", _UNKNOWN_ROUTE)
        method = _known_method(scope["method"])
        self._metrics.request(method, route, status, seconds)
        if route not in _QUIET:
            # The template and no query: paths of strangers and what they search for stay out of logs.
            facts = {"method": method, "route": route, "status": status, "seconds": seconds and round(seconds, 4)}
            _LOG.info("request", extra=facts)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        path = scope["path"]
        refused = self._refusal(scope)
        if refused is not None:
            await problem_response(refused, path)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:
            response = incident_response(error, path)
            if not has_begun:
                await response(scope, receive, send)

    def _refusal(self, scope: Scope) -> NasError | None:
        headers = Headers(scope=scope)
        host = _host_name(headers.get("host", ""))
        if host not in self._names and not _is_address(host):
            return MisdirectedRequest(
                f"This server is not known as {host[:80]!r}.", "Add the name to BLOCKSMITH_PUBLIC_NAMES."
            )
        if scope["method"] not in ("POST", "PUT", "PATCH") or not _has_body(headers):
            return None
        if headers.get("content-encoding", "identity").lower() != "identity":
            return UnsupportedMedia("Compressed bodies are not read.", "Send the body as it is.")
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        allowed = (JSON, *YAML) if scope["path"] in SPEC_ROUTES else (JSON,)
        if media not in allowed:
            return UnsupportedMedia(
                f"A body of type {media[:80]!r} is not read here.", f"Send {' or '.join(allowed[:2])}."
            )
        return None


def _host_name(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _known_method(method: str) -> str:
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"
