"""The model panel: asked for when it comes into sight, the same numbers as the server's, by keyboard too."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.browsers import Server, bring_into_sight
from tests.dashboard.conftest import Open
from tests.dashboard.scene import Scene
from tests.dashboard.test_accessibility import AXE

SLOW_S = 90.0
"""The first fit of a process imports Ax."""


def opened(server: Server, key: str, open_page: Open, search: str = "search-001", **options: Any) -> Page:
    page = open_page(server.url, key, f"/searches/{search}", **options)
    bring_into_sight(page, "Model", SLOW_S)
    return page


def report(server: Server, key: str, search: str = "search-001") -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.get(f"{server.url}/v1/searches/{search}/health", headers=headers, timeout=120)
    document: dict[str, Any] = answer.raise_for_status().json()
    return document


def test_the_panel_says_what_the_server_says(finished_scene: Scene, finished_server: Server, open_page: Open) -> None:
    key = finished_scene.key()
    said = report(finished_server, key)
    page = opened(finished_server, key, open_page)
    panel = page.locator("section.model")
    expect(panel.locator("header .badge")).to_have_text(said["verdict"])
    for finding in said["findings"]:
        expect(panel.locator(".findings")).to_contain_text(finding["finding"])
        expect(panel.locator(".findings")).to_contain_text(finding["remedy"])
    expect(panel.locator(".chart.predictions canvas")).to_be_visible()
    shares = panel.locator(".sensitivities tbody tr")
    expect(shares).to_have_count(len(said["metrics"][0]["stages"]))
    panel.get_by_role("button", name="Table").press("Enter")
    rows = panel.get_by_role("table", name="Trials as predicted without their measurement").locator("tbody tr")
    expect(rows).to_have_count(said["metrics"][0]["points"])
    inside = panel.get_by_role("cell", name="yes", exact=True).count()
    expect(panel).to_contain_text(
        f"{inside} of {said['metrics'][0]['points']} measurements lie in the 95 % intervals"
    )


def test_nothing_is_asked_before_the_panel_comes_into_sight(scene: Scene, server: Server, open_page: Open) -> None:
    search = scene.submit("early", trials=6)
    scene.drive(search)
    page = open_page(server.url, scene.key(), "/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{server.url}/#/searches/{search}")
    expect(page.locator(".epsilon")).to_be_visible()
    page.wait_for_timeout(500)
    assert not [url for url in asked if url.endswith("/health")]
    bring_into_sight(page, "Model", SLOW_S)
    expect(page.locator("section.model header .badge")).to_have_text("too early")
    expect(page.locator("section.model .findings")).to_contain_text("Let the search run on.")
    assert len([url for url in asked if url.endswith("/health")]) == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_panel_has_no_serious_fault(
    finished_scene: Scene, finished_server: Server, open_page: Open, theme: str
) -> None:
    page = opened(finished_server, finished_scene.key(), open_page, color_scheme=theme)
    page.locator(".chart.predictions canvas").wait_for()
    page.evaluate(AXE)
    for _ in range(2):  # the charts, and the tables behind them
        found = page.evaluate("axe.run('section.model', {resultTypes: ['violations']})")
        assert [fault["id"] for fault in found["violations"] if fault["impact"] in ("serious", "critical")] == []
        page.locator("section.model").get_by_role("button", name="Table").click()
