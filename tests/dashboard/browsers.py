"""What the tests of the page run on: the application on a free port, and the distribution's Chromium."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, Locator, Page, Playwright

from tests.dashboard.scene import Scene

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # runs as root in containers
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PATIENCE_S = 45.0
"""How long a test waits for what has to come: a busy machine is no fault of the page."""


def chromium() -> str | None:
    """Where the distribution keeps its browser."""
    return next((path for name in ("chromium", "google-chrome", "chrome") if (path := shutil.which(name))), None)


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))


class Server:
    """The application on a free port of the loopback interface."""

    def __init__(self, scene: Scene, port: int = 0) -> None:
        import uvicorn

        from api.server import make_app

        config = uvicorn.Config(
            make_app(scene.installation), port=port, log_level="warning", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_for(lambda: self._server.started)
        self.port: int = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)


def bring_into_sight(page: Page, name: str, within_s: float = PATIENCE_S) -> Locator:
    """A panel that asks the server once it is seen, seen and answered.

    What lies above may still grow and push it away: whoever looks for it scrolls on.
    """
    panel = page.locator("section.panel", has=page.get_by_role("heading", name=name, exact=True))

    def is_answered() -> bool:
        panel.scroll_into_view_if_needed()
        return panel.get_attribute("aria-busy") == "false"

    wait_for(is_answered, within_s)
    return panel


def wait_for(condition: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
    """What the condition becomes, once it is true."""
    until = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < until, "never became true"
        time.sleep(0.01)
    return value
