"""The socket that API processes share."""

from __future__ import annotations

import threading
import time

import pytest

from api.up.listener import address_of, listen, listen_near
from nas.errors import Conflict, SpecError


def test_a_free_port_is_found() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_listening_everywhere_is_reached_through_the_loopback() -> None:
    with listen("0.0.0.0", 0) as listener:
        assert address_of(listener).startswith("http://127.0.0.1:")


def test_a_taken_port_is_told_with_the_next_one() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(Conflict, match=f"--port {port + 1}"):
            listen("127.0.0.1", port)


def test_a_port_that_nobody_asked_for_may_be_the_next_free_one() -> None:
    with listen("127.0.0.1", 0) as first, listen_near("127.0.0.1", first.getsockname()[1]) as second:
        assert first.getsockname()[1] < second.getsockname()[1] < first.getsockname()[1] + 16


def test_a_port_that_comes_free_is_waited_for() -> None:
    first = listen("127.0.0.1", 0)
    port = first.getsockname()[1]

    def free() -> None:
        time.sleep(0.3)
        first.close()

    threading.Thread(target=free).start()
    with listen("127.0.0.1", port, patience_s=20) as second:
        assert second.getsockname()[1] == port


def test_a_foreign_address_is_a_usage_error() -> None:
    with pytest.raises(SpecError, match="--host"):
        listen("192.0.2.1", 0)
