"""axe (Deque) on every view, light and dark; the fixture makes sure that none breaks its security policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.dashboard.browsers import Server
from tests.dashboard.conftest import Open
from tests.dashboard.scene import Scene

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
VIEWS = {
    "sign-in": ("", "API key"),
    "list": ("/", "finished"),
    "search": ("/searches/search-001?sel=3,9", "Clear selection (2)"),
    "trial": ("/searches/search-001?trial=0", "Against the teacher"),
    "new": ("/new", "Checked by the server as you type."),
    "devices": ("/devices", "Canary now"),
    "admin": ("/admin", "Keys and audit of"),
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_no_serious_fault(
    finished_scene: Scene, finished_server: Server, open_page: Open, view: str
) -> None:
    place, landmark = VIEWS[view]
    key = finished_scene.key() if place else ""
    page = open_page(finished_server.url, key, place or "/", reduced_motion="reduce")
    expect(page.get_by_text(landmark, exact=True).first).to_be_visible()
    page.evaluate(AXE)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        serious = [
            f"{theme} {fault['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
            for fault in found["violations"]
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]
        assert serious == []


@pytest.mark.parametrize("width", [390, 1440])
def test_no_view_is_wider_than_the_screen(
    finished_scene: Scene, finished_server: Server, open_page: Open, width: int
) -> None:
    page = open_page(finished_server.url, finished_scene.key())
    page.set_viewport_size({"width": width, "height": 844})
    for place, landmark in list(VIEWS.values())[1:]:
        page.goto(f"{finished_server.url}/#{place}")
        expect(page.get_by_text(landmark, exact=True).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
