"""A real browser on the real application: uvicorn in a thread, Chromium without a head."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.dashboard.scene import Scene

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # runs as root in containers
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

Open = Callable[..., Page]


def chromium() -> str:
    """Where the distribution keeps its browser; without one there is nothing to test with."""
    found = next((path for name in ("chromium", "google-chrome", "chrome") if (path := shutil.which(name))), None)
    if found is None and os.environ.get("BLOCKSMITH_REQUIRE_BROWSER") == "1":
        pytest.fail("There is no Chromium on this machine: apt-get install chromium")
    if found is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    return found


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


def wait_for(condition: Callable[[], Any], within_s: float = 10.0) -> Any:
    """What the condition becomes, once it is true."""
    until = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < until, "never became true"
        time.sleep(0.01)
    return value


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def finished_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One search that is over; nobody changes it but by new bounds."""
    scene = Scene(tmp_path_factory.mktemp("finished"))
    scene.drive(scene.submit("finished", trials=120))
    yield scene
    scene.close()


@pytest.fixture(scope="session")
def finished_server(finished_scene: Scene, browser: Browser) -> Iterator[Server]:
    server = Server(finished_scene)
    yield server
    server.stop()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


@pytest.fixture
def server(scene: Scene, browser: Browser) -> Iterator[Server]:
    server = Server(scene)
    yield server
    server.stop()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens pages, and makes sure in the end that none of them had an error or broke its security policy."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_page(url: str, key: str = "", place: str = "/", *, quiet: bool = True, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(8000)
        if quiet:
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.goto(f"{url}/#key={key}&{place}" if key else f"{url}/#{place}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
