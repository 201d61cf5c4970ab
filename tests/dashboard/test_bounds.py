"""Bounds moved by mouse, keyboard and number, judged as the server judges, and saved."""

from __future__ import annotations

import httpx
from playwright.sync_api import expect

from tests.dashboard.browsers import Server, wait_for
from tests.dashboard.conftest import Open
from tests.dashboard.scene import Scene
from tests.dashboard.verdicts import SLIDER, feasible_by_server, feasible_on_page, within


def test_a_bound_is_dragged_judged_at_once_and_saved(scene: Scene, server: Server, open_page: Open) -> None:
    search = scene.submit("dragged", trials=60)
    scene.drive(search)
    key = scene.key()
    page = open_page(server.url, key, f"/searches/{search}")
    line = page.get_by_role("slider", name=SLIDER)
    expect(line).to_be_visible()
    before = within(page)
    box = line.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] - 80, steps=4)
    wait_for(lambda: within(page) > before)  # the button is still down, and nothing was asked of the server
    assert len(scene.search(search).problems) == 1
    page.mouse.up()
    on_page = feasible_on_page(page)
    page.get_by_role("button", name="Save as version 1").click()
    expect(page.get_by_label("Version of the bounds")).to_have_value("1")
    assert len(scene.search(search).problems) == 2
    assert on_page == feasible_by_server(server, key, search, 1)
    page.get_by_label("Version of the bounds").select_option("0")
    wait_for(lambda: within(page) == before)
    assert feasible_on_page(page) == feasible_by_server(server, key, search, 0)


def test_a_bound_is_moved_by_keyboard_alone(finished_scene: Scene, finished_server: Server, open_page: Open) -> None:
    page = open_page(finished_server.url, finished_scene.key(), "/searches/search-001")
    line = page.get_by_role("slider", name=SLIDER)
    start = float(line.get_attribute("aria-valuenow") or 0)
    for _ in range(80):  # as a user without a mouse would: Tab until it is reached
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == SLIDER:
            break
    expect(line).to_be_focused()
    page.keyboard.press("Shift+ArrowUp")
    wait_for(lambda: float(line.get_attribute("aria-valuenow") or 0) > start)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="Save as version 1")).to_be_enabled()
    page.get_by_role("button", name="Discard").press("Enter")
    assert float(line.get_attribute("aria-valuenow") or 0) == start


def test_while_nothing_is_within_the_bounds_the_nearest_is_named(
    finished_scene: Scene, finished_server: Server, open_page: Open
) -> None:
    page = open_page(finished_server.url, finished_scene.key(), "/searches/search-001")
    expect(page.get_by_role("slider", name=SLIDER)).to_be_visible()
    page.get_by_label("Add a bound").select_option("params")
    page.get_by_label("Relative noise MSE", exact=True).fill("0.0001")
    page.get_by_label("Parameters", exact=True).fill("30000")
    misses = page.locator(".misses li")
    expect(misses).to_have_count(5)
    expect(misses.first).to_contain_text("violated by")
    expect(page.locator(".figure", has_text="Least violating")).to_be_visible()


def test_a_bound_moved_by_somebody_else_meanwhile_is_no_lost_update(
    scene: Scene, server: Server, open_page: Open
) -> None:
    search = scene.submit("contended", trials=10)
    scene.drive(search)
    key = scene.key()
    page = open_page(server.url, key, f"/searches/{search}")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.get_by_label("Relative noise MSE", exact=True).fill("0.004")
    expect(page.get_by_role("button", name="Save as version 1")).to_be_enabled()
    httpx.post(
        f"{server.url}/v1/searches/{search}/bounds",
        json={"constraints": [{"metric": "noise_mse_relative", "at_most": 0.006}]},
        headers={"Authorization": f"Bearer {key}"},
    ).raise_for_status()
    expect(page.get_by_text("Moved by somebody else meanwhile")).to_be_visible()
    expect(page.get_by_label("Relative noise MSE", exact=True)).to_have_value("0.004")
    expect(page.get_by_role("button", name="Save as version 2")).to_be_disabled()
    page.get_by_role("button", name="Keep mine").click()
    page.get_by_role("button", name="Save as version 2").click()
    wait_for(lambda: len(scene.search(search).problems) == 3)
    assert scene.search(search).problem.constraints[0].at_most == 0.004
