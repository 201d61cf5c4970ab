"""The page of devices: what the server lists, states in words, fingerprints on demand, an empty state that helps."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from api.service import devices
from tests.dashboard.browsers import Server
from tests.dashboard.conftest import Open
from tests.dashboard.scene import Scene
from tests.dashboard.test_accessibility import AXE
from tests.dashboard.timed import note_devices


@pytest.fixture(autouse=True)
def believed_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here no coordinator repeats what it sees."""
    monkeypatch.setattr(devices, "ALIVE_WITHIN_S", 3600.0)


def test_devices_are_listed_with_what_is_known_of_them(scene: Scene, server: Server, open_page: Open) -> None:
    note_devices(scene)
    page = open_page(server.url, scene.key("reader"))
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Devices").press("Enter")
    expect(page.get_by_role("heading", name="Devices", level=1)).to_be_visible()
    table = page.get_by_role("table", name="Devices that a spec may name")
    expect(table.locator("tbody th .name").nth(0)).to_have_text("pixel-6")  # what is in trouble stands first

    hurt = table.get_by_role("row", name="pixel-6")
    expect(hurt.locator(".badge.bad")).to_contain_text("quarantined")
    expect(hurt).to_contain_text("Its canary takes 25.8 % longer than on arrival.")
    expect(hurt).to_contain_text("26 % slower")
    busy = table.get_by_role("row", name="pixel-8")
    for text in ("busy", "adb", "litert 2.1", "measured", "2.09 ms", "as on arrival", "bench-2:815", "<b>R5</b>"):
        expect(busy).to_contain_text(text)
    expect(table.get_by_role("row", name="host").locator(".badge.good")).to_contain_text("available")
    expect(page.locator("main")).to_contain_text("1 quarantined, 1 busy, 1 available")
    expect(page.locator("main")).to_contain_text("blocksmith device-worker")

    whole = busy.locator("details code")
    expect(whole).to_be_hidden()
    busy.locator("summary").press("Enter")
    expect(whole).to_be_visible()
    assert len(whole.inner_text()) == 64


def test_the_list_follows_what_coordinators_see(scene: Scene, server: Server, open_page: Open) -> None:
    page = open_page(server.url, scene.key(), "/devices")
    expect(page.get_by_text("No device is offered now")).to_be_visible()
    expect(page.locator(".empty code").first).to_contain_text("blocksmith device-worker")
    expect(page.get_by_role("row", name="host")).to_contain_text("absent")
    note_devices(scene)
    page.get_by_role("button", name="Refresh").press("Enter")
    expect(page.get_by_role("row", name="host")).to_contain_text("available")
    expect(page.get_by_text("No device is offered now")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_has_no_fault(scene: Scene, server: Server, open_page: Open, theme: str) -> None:
    note_devices(scene)
    page = open_page(server.url, scene.key(), "/devices", color_scheme=theme)
    expect(page.locator(".badge.bad")).to_be_visible()
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found["violations"]] == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
