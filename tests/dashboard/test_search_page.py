from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.dashboard.browsers import Server, wait_for
from tests.dashboard.conftest import Open
from tests.dashboard.scene import Scene
from tests.dashboard.verdicts import SLIDER


def test_one_selection_is_shared_and_stands_in_the_address(
    finished_scene: Scene, finished_server: Server, open_page: Open
) -> None:
    page = open_page(finished_server.url, finished_scene.key(), "/searches/search-001")
    page.get_by_role("row", name="119").get_by_role("gridcell").nth(1).click()
    assert page.url.endswith("?sel=119")
    expect(page.locator(".grid-row.selected")).to_have_count(1)
    expect(page.locator(".cell.chosen")).to_have_count(7)
    expect(page.get_by_role("button", name="Clear selection (1)")).to_be_visible()
    page.locator(".cell", has_text="dwsep").first.click()
    assert "?block=E1:dwsep" in page.url
    page.get_by_label("Which trials").select_option("selected")
    chosen = page.locator(".grid-row").first.locator("div").last.inner_text()
    assert "E1 dwsep" in chosen
    page.reload()
    expect(page.locator(".cell[aria-pressed=true]")).to_have_count(1)


def test_a_trial_is_picked_on_the_plot(finished_scene: Scene, finished_server: Server, open_page: Open) -> None:
    page = open_page(finished_server.url, finished_scene.key(), "/searches/search-001")
    expect(page.get_by_role("slider", name=SLIDER)).to_be_visible()
    # Feel along the lower right corner, where the teacher stands, for a point.
    box = page.locator(".chart.pareto").bounding_box()
    assert box is not None
    teacher = (box["x"] + 70 + (71_000 - 20_000) / 60_000 * (box["width"] - 88), box["y"] + box["height"] - 47)
    page.mouse.move(*teacher)
    expect(page.locator(".hover-card")).to_contain_text("Trial 0")
    page.mouse.click(*teacher)
    expect(page).to_have_url(re.compile(r"\?sel=0$"))


def test_only_rows_in_sight_exist(finished_scene: Scene, finished_server: Server, open_page: Open) -> None:
    page = open_page(finished_server.url, finished_scene.key(), "/searches/search-001")
    grid = page.get_by_role("grid", name="Trials")
    expect(grid).to_have_attribute("aria-rowcount", "121")
    assert page.locator(".grid-row").count() < 40
    grid.focus()
    page.keyboard.press("End")
    expect(page.get_by_role("gridcell", name="0", exact=True).first).to_be_visible()
    assert page.locator(".grid-row").count() < 40
    page.get_by_role("columnheader", name="Relative noise MSE").get_by_role("button").click()
    page.keyboard.press("Escape")
    grid.focus()
    page.keyboard.press("Home")
    expect(page.locator(".grid-row").first.get_by_role("link")).to_have_text("0")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Trial 0")).to_be_visible()


def test_nothing_is_asked_for_twice(finished_scene: Scene, finished_server: Server, open_page: Open) -> None:
    page = open_page(finished_server.url, finished_scene.key(), "/searches/search-001")

    def asked() -> list[str]:
        entries = "performance.getEntriesByType('resource').map((one) => one.name)"
        return [name.removeprefix(f"{finished_server.url}/v1/") for name in page.evaluate(entries) if "/v1/" in name]

    wait_for(lambda: any("after_event" in name for name in asked()))  # a second look, because news arrive from now on
    expect(page.locator(".chart.hypervolume canvas")).to_be_visible()
    first = [name for name in asked() if "after_event" not in name and name != "searches/search-001"]
    assert len(first) == len(set(first))
    assert {"me", "searches/search-001/points?limit=10000", "searches/search-001/front"} <= set(first)


def test_a_table_stands_behind_every_chart(finished_scene: Scene, finished_server: Server, open_page: Open) -> None:
    page = open_page(finished_server.url, finished_scene.key(), "/searches/search-001")
    for section, caption in (
        ("Trials and front", "Trials on the front"),
        ("Hypervolume", "Hypervolume after each trial"),
        ("Blocks by stage", "Block library"),
    ):
        panel = page.get_by_role("region", name=section, exact=True)
        panel.get_by_role("button", name="Table").click()
        table = panel.get_by_role("table", name=caption)
        expect(table).to_be_visible()
        assert table.get_by_role("row").count() > 3
