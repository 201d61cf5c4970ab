"""The API process: one uvicorn around the app, stopped gently."""

from __future__ import annotations

import socket
from typing import Final

from api.settings import Settings

_GRACE_S: Final = 5
"""What requests and event streams get to end after SIGTERM; streams come back to the next process by themselves."""


def serve(settings: Settings, listener: socket.socket) -> None:
    """Answer requests on an open socket until SIGTERM or SIGINT.

    Args:
        settings: Of the installation.
        listener: Where to listen; may be shared with the process that comes after.
    """
    import uvicorn

    from api.installation import Installation
    from api.logs import configure_logging
    from api.server import make_app

    configure_logging(settings.log_format, settings.log_level)
    config = uvicorn.Config(
        make_app(Installation(settings=settings)),
        log_config=None,
        access_log=False,  # the app logs requests itself, with route templates and without query strings
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    uvicorn.Server(config).run(sockets=[listener])
