from __future__ import annotations

import re

from playwright.sync_api import Route, expect

from tests.dashboard.browsers import Server, wait_for
from tests.dashboard.conftest import Open
from tests.dashboard.scene import Scene


def test_the_list_follows_its_searches(scene: Scene, server: Server, open_page: Open) -> None:
    first = scene.submit("first", trials=12)
    page = open_page(server.url, scene.key())
    row = page.get_by_role("row", name="first")
    expect(row).to_contain_text("created")
    scene.drive(first, trials=5)
    expect(row).to_contain_text(re.compile("running|draining"))  # how much is claimed ahead depends on the machine
    scene.drive(first)
    expect(row).to_contain_text("completed")
    expect(row).to_contain_text("12 / 12")
    scene.submit("second", trials=12)
    expect(page.get_by_role("row").nth(1)).to_contain_text("second")


def test_a_search_is_paused_resumed_cancelled_deleted_and_restored(
    scene: Scene, server: Server, open_page: Open
) -> None:
    search = scene.submit("mine")
    page = open_page(server.url, scene.key())
    page.get_by_role("button", name="Pause mine").click()
    wait_for(lambda: scene.search(search).intent.value == "pause")
    page.get_by_role("button", name="Resume mine").click()
    wait_for(lambda: scene.search(search).intent.value == "run")
    page.get_by_role("button", name="Cancel mine").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep").click()
    assert scene.search(search).intent.value == "run"
    page.get_by_role("button", name="Cancel mine").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the search").click()
    wait_for(lambda: scene.search(search).intent.value == "cancel")
    scene.drive(search)
    page.get_by_role("button", name="Delete mine").click()
    expect(page.get_by_text("No searches yet")).to_be_visible()
    page.get_by_role("button", name="Trash").click()
    page.get_by_role("button", name="Restore mine").click()
    expect(page.get_by_text("The trash is empty")).to_be_visible()
    assert scene.search(search).deleted_at is None


def test_filters_ask_the_server_and_stand_in_the_address(scene: Scene, server: Server, open_page: Open) -> None:
    for n in range(60):
        scene.submit(f"number-{n:02d}")
    page = open_page(server.url, scene.key())
    rows = page.locator("table.searches tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Load more").click()
    expect(rows).to_have_count(60)
    page.get_by_label("Name contains").fill("number-3")
    expect(rows).to_have_count(10)
    assert page.url.endswith("#/?name=number-3")
    scene.submit("number-39b")
    expect(rows.first).to_contain_text("number-39b")
    scene.submit("number-4x")
    scene.submit("number-39c")
    expect(rows.first).to_contain_text("number-39c")
    expect(rows).to_have_count(12)
    page.get_by_label("Status").select_option("completed")
    expect(page.get_by_text("No search matches")).to_be_visible()


def test_markup_is_text_wherever_it_comes_from(scene: Scene, server: Server, open_page: Open) -> None:
    markup = "<img src=x onerror=window.hurt=1><b>bold</b>"
    search = scene.submit("harmless", trials=6)
    scene.drive(search)

    def poison(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=response.text().replace("harmless", markup).replace("random", markup))

    page = open_page(server.url, place="/")
    page.route("**/v1/**", lambda route: route.continue_() if "events" in route.request.url else poison(route))
    page.get_by_label("API key").fill(scene.key())
    page.keyboard.press("Enter")
    page.get_by_role("link", name=markup).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(markup)
    expect(page.get_by_role("gridcell", name=markup).first).to_be_visible()
    assert page.evaluate("window.hurt") is None
    assert page.locator("main img, main b").count() == 0
    page.unroute_all(behavior="ignoreErrors")  # answers still on their way
