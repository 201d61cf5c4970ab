"""The client itself: an address and a key, or the installation on this machine."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Final

import httpx

from api.client.administering import Administering
from api.client.searching import Searching
from api.client.transport import Transport
from nas.errors import Fault, SpecError

if TYPE_CHECKING:
    from api.client.in_process import InProcessServer
    from api.installation import Installation

_CONNECTIONS: Final = httpx.Limits(max_connections=20, max_keepalive_connections=10)


class Client(Searching, Administering):
    """Speaks to one server. Thread-safe; close it, or use it as a context manager.

    Methods raise the errors that the server met (`nas.errors`, `api.refusals`), and `TransientError`
    when it cannot be reached.

    Args:
        url: Address, for instance `http://127.0.0.1:8484`.
        key: `bsk_…`; None for what needs none.
        timeout_s: Longest silence while an answer is awaited. Submissions get two minutes at least: the
            server looks at the teacher first.
    """

    def __init__(self, url: str, key: str | None = None, *, timeout_s: float = 30.0) -> None:
        _require_address(url)
        http = httpx.Client(
            base_url=url,
            headers=_headers(key),
            timeout=httpx.Timeout(timeout_s, read=max(timeout_s, 120.0)),
            limits=_CONNECTIONS,
            follow_redirects=False,
            trust_env=not _is_this_machine(url),  # a proxy knows another machine by the name of localhost
        )
        self._transport = Transport(http)
        self._server: InProcessServer | None = None

    @classmethod
    def local(cls, installation: Installation) -> Client:
        """A client of the installation on this machine, served inside this process for as long as it is open.

        It is an admin of the whole installation. Searches are stored and read; what drives them is a
        coordinator, or `blocksmith run`.
        """
        from api.client.in_process import InProcessServer

        server = InProcessServer(installation)
        client = cls.__new__(cls)
        http = httpx.Client(
            base_url="http://localhost",
            headers=_headers(server.token),
            timeout=httpx.Timeout(30.0, read=120.0),
            transport=httpx.HTTPTransport(uds=str(server.socket), limits=_CONNECTIONS),
        )
        client._transport, client._server = Transport(http), server
        return client

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connections, and the server inside this process if there is one."""
        self._transport.close()
        if self._server is not None:
            self._server.close()


def _headers(key: str | None) -> dict[str, str]:
    python = ".".join(map(str, sys.version_info[:2]))
    agent = {"User-Agent": f"blocksmith-client python/{python}"}
    return agent | ({"Authorization": f"Bearer {key}"} if key else {})


def _is_this_machine(url: str) -> bool:
    return httpx.URL(url).host in ("localhost", "127.0.0.1", "::1")


def _require_address(url: str) -> None:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise SpecError((Fault("--url", f"{url!r} is no address of a server", "http://127.0.0.1:8484"),))
