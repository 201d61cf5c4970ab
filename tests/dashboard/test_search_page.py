from __future__ import annotations

import httpx
from playwright.sync_api import Page, Route, expect

from tests.dashboard.browsers import Server, wait_for
from tests.dashboard.conftest import Open
from tests.dashboard.scene import Scene

SLIDER = "Bound on Relative noise MSE"


def within(page: Page) -> int:
    return int(page.locator(".bounds .verdict strong").first.inner_text())


def feasible_by_server(server: Server, key: str, search: str, version: int) -> set[int]:
    path = f"{server.url}/v1/searches/{search}/trials"
    query = {"feasible": "true", "bounds_version": str(version), "limit": "500"}
    answer = httpx.get(path, params=query, headers={"Authorization": f"Bearer {key}"})
    return {trial["trial"] for trial in answer.raise_for_status().json()["items"]}


def feasible_on_page(page: Page) -> set[int]:
    page.get_by_label("Which trials").select_option("feasible")
    grid = page.get_by_role("grid", name="Trials")
    rows = int(grid.get_attribute("aria-rowcount") or 0) - 1
    numbers: set[int] = set()
    for top in range(0, 30 * rows, 300):  # only rows in sight exist
        grid.evaluate("(grid, top) => new Promise((drawn) => { grid.scrollTop = top; setTimeout(drawn, 50); })", top)
        numbers |= {int(number) for number in page.locator(".grid-row a").all_inner_texts()}
    page.get_by_label("Which trials").select_option("all")
    assert len(numbers) == rows
    return numbers


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
    assert page.url.endswith("?sel=0")


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


def test_trials_appear_while_they_finish_and_the_zoom_stays(scene: Scene, server: Server, open_page: Open) -> None:
    search = scene.submit("live", trials=40)
    scene.drive(search, trials=10)
    page = open_page(server.url, scene.key(), f"/searches/{search}?yscale=log")
    expect(page.locator("#trials-title + span")).not_to_have_text("0")
    line = page.get_by_role("slider", name=SLIDER)
    page.get_by_role("button", name="Zoom in").click()
    zoomed = line.get_attribute("aria-valuemax")
    scene.drive(search)
    expect(page.locator(".search-header")).to_contain_text("completed")
    expect(page.locator("#trials-title + span")).to_have_text("40")
    assert line.get_attribute("aria-valuemax") == zoomed
    page.get_by_role("button", name="Reset zoom").click()
    wait_for(lambda: line.get_attribute("aria-valuemax") != zoomed)


def test_an_answer_older_than_its_neighbour_is_asked_for_again(scene: Scene, server: Server, open_page: Open) -> None:
    search = scene.submit("overtaken", trials=12)
    scene.drive(search)
    page = open_page(server.url, scene.key(), "/")
    last = 0

    def answer_as_before(route: Route) -> None:
        nonlocal last
        answer = route.fetch()
        last = answer.json()["last_event"]
        route.fulfill(response=answer, json={**answer.json(), "status": "draining", "last_event": last - 1})

    page.route(f"**/v1/searches/{search}", answer_as_before)
    page.goto(f"{server.url}/#/searches/{search}")
    expect(page.locator(".search-header")).to_contain_text("draining")
    page.wait_for_timeout(1_000)  # the stream is there, and nothing else asks
    page.unroute(f"**/v1/searches/{search}")
    page.evaluate(
        """async (news) => {
          const { keyName } = await import("/static/session.js");
          new BroadcastChannel(`blocksmith.live.${keyName()}`).postMessage({ news });
        }""",
        {"search": search, "last_event": last, "status": "completed"},
    )
    expect(page.locator(".search-header")).to_contain_text("completed")


def test_a_search_is_watched_from_before_its_first_result(scene: Scene, server: Server, open_page: Open) -> None:
    search = scene.submit("young", trials=12)
    page = open_page(server.url, scene.key(), f"/searches/{search}")
    expect(page.get_by_text("No trials yet").first).to_be_visible()
    count = page.locator("#trials-title + span")
    for trials in (0, 1, 2, 12):
        scene.drive(search, trials=trials)
        expect(count).to_have_text(str(scene.rows(search)))
    expect(page.locator(".search-header")).to_contain_text("completed")
    expect(page.get_by_role("slider", name=SLIDER)).to_be_visible()


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


def test_a_lost_server_is_announced_and_what_was_missed_is_caught_up(
    scene: Scene, server: Server, open_page: Open
) -> None:
    search = scene.submit("interrupted", trials=30)
    scene.drive(search, trials=5)
    page = open_page(server.url, scene.key(), f"/searches/{search}", quiet=False)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    server.stop()
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    scene.drive(search)
    again = Server(scene, port=server.port)
    try:
        expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=15_000)
        expect(page.locator(".search-header")).to_contain_text("completed")
        expect(page.locator("#trials-title + span")).to_have_text("30")
        expect(page.get_by_role("alert")).to_have_count(0)  # a panel that asked in vain asks again
    finally:
        again.stop()


def test_tabs_of_one_browser_share_one_stream(scene: Scene, server: Server, open_page: Open) -> None:
    search = scene.submit("shared", trials=12)
    key = scene.key()
    first = open_page(server.url, key)
    expect(first.get_by_text("Live", exact=True)).to_be_visible()
    streams: list[str] = []
    first.context.on(
        "request", lambda request: streams.append(request.url) if request.url.endswith("/events") else None
    )
    second = first.context.new_page()
    second.goto(f"{server.url}/#key={key}&/")
    expect(second.get_by_text("Live", exact=True)).to_be_visible()
    scene.drive(search)
    for page in (first, second):
        expect(page.get_by_role("row", name="shared")).to_contain_text("completed")
    assert streams == []
    first.close()
    wait_for(lambda: (second.wait_for_timeout(20), streams)[1])  # the second tab takes over
