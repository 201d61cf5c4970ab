"""The socket the API answers on: opened once, handed to every API process that follows."""

from __future__ import annotations

import errno
import socket
import time
from contextlib import suppress
from typing import Final

from nas.errors import Conflict, Fault, SpecError

NEIGHBOURS: Final = 16
_BACKLOG: Final = 512
_PAUSE_S: Final = 0.2


def listen(host: str, port: int, patience_s: float = 0.0) -> socket.socket:
    """Listen at an address; port 0 takes a free one.

    Whoever opens it may hand it on: while one API process follows another, callers wait a moment instead
    of being refused.

    Args:
        host: Address of this machine.
        port: Port; 0 takes a free one.
        patience_s: How long to wait for a port that is just being given back.

    Raises:
        Conflict: If somebody else listens there, or this user may not.
        SpecError: If the host is no address of this machine.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return _listen_once(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(_PAUSE_S)
                continue
            raise _refused(host, port, error) from None


def listen_near(host: str, port: int, patience_s: float = 0.0) -> socket.socket:
    """Listen at an address, or at one of the next ports when somebody else listens there.

    For a port that nobody asked for: two services on one machine are nothing unusual.

    Raises:
        Conflict: If all of them are taken.
        SpecError: If the host is no address of this machine.
    """
    try:
        return listen(host, port, patience_s)
    except Conflict:
        for other in range(port + 1, min(port + NEIGHBOURS, 1 << 16)):
            with suppress(Conflict):
                return listen(host, other)
        raise


def address_of(listener: socket.socket) -> str:
    """URL under which a caller on this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen_once(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _refused(host: str, port: int, error: OSError) -> Conflict | SpecError:
    if error.errno == errno.EADDRINUSE:
        return Conflict(
            f"Port {port} of {host} is taken by another program.",
            f"Choose another with --port, for instance --port {port + 1}, or let --port 0 find a free one.",
        )
    if error.errno == errno.EACCES:
        return Conflict(f"You may not listen at port {port} of {host}.", "Choose a port above 1023 with --port.")
    return SpecError((Fault("--host", f"{host} is no address of this machine", "127.0.0.1"),))
