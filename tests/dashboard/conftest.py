"""A real browser on the real application."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.dashboard.browsers import PATIENCE_S, Server, chromium, launch
from tests.dashboard.scene import Scene

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if chromium() is None and os.environ.get("BLOCKSMITH_REQUIRE_BROWSER") == "1":
        pytest.fail("There is no Chromium on this machine: apt-get install chromium")
    if chromium() is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    expect.set_options(timeout=1000 * PATIENCE_S)
    with sync_playwright() as playwright:
        browser = launch(playwright)
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
        page.set_default_timeout(1000 * PATIENCE_S)
        if quiet:
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.goto(f"{url}/#key={key}&{place}" if key else f"{url}/#{place}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
