"""What the page shows follows the search, whatever gets lost on the way."""

from __future__ import annotations

from playwright.sync_api import Route, expect

from tests.dashboard.browsers import Server, wait_for
from tests.dashboard.conftest import Open
from tests.dashboard.scene import Scene
from tests.dashboard.verdicts import SLIDER


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
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
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
