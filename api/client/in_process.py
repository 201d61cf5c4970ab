"""The REST interface inside this process, behind a socket that nobody else can open.

Commands without a server go through the very same code as commands with one: a real server on a Unix
socket in a private folder, with a key that only this process knows.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

from api.installation import Installation
from nas.errors import TransientError

_START_S: Final = 30.0
_STOP_S: Final = 5.0
_LONGEST_PATH: Final = 90
"""Of a socket; the systems allow little more than a hundred bytes."""


class InProcessServer:
    """A server in a thread.

    Attributes:
        token: Accepted as an admin of the whole installation.
        socket: Where it listens.

    Args:
        installation: What to serve.

    Raises:
        TransientError: If it does not start.
    """

    def __init__(self, installation: Installation) -> None:
        import uvicorn

        from api.access import new_secret
        from api.server import make_app

        self.token = f"local-{new_secret()}"
        self._folder = _private_folder()
        self.socket = self._folder / "http"
        app = make_app(installation, own_token=self.token)
        config = uvicorn.Config(
            app,
            uds=str(self.socket),
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="in-process server", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.close()
                raise TransientError("The server inside this process did not start.", "See the log.")
            time.sleep(0.005)

    def close(self) -> None:
        """Stop and leave nothing behind."""
        self._server.should_exit = True
        self._thread.join(_STOP_S)
        shutil.rmtree(self._folder, ignore_errors=True)


def _private_folder() -> Path:
    """A new folder that its owner alone may read, with a path short enough for a socket."""
    usual = len(tempfile.gettempdir()) + len("/blocksmith-12345678/http") <= _LONGEST_PATH
    return Path(tempfile.mkdtemp(prefix="blocksmith-", dir=None if usual else "/tmp"))
