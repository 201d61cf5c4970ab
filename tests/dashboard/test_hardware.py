"""The hardware panel: the server's figures, asked for when it comes into sight, with tables, by keyboard too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.dashboard.browsers import Server, bring_into_sight
from tests.dashboard.conftest import Open
from tests.dashboard.scene import Scene
from tests.dashboard.test_accessibility import AXE
from tests.dashboard.timed import ON_NONE, ON_TWO, UNDISTILLED, fill_searches


@pytest.fixture(scope="module")
def timed_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    scene = Scene(tmp_path_factory.mktemp("timed"))
    fill_searches(scene)
    yield scene
    scene.close()


@pytest.fixture(scope="module")
def timed_server(timed_scene: Scene, browser: Browser) -> Iterator[Server]:
    server = Server(timed_scene)
    yield server
    server.stop()


@pytest.fixture
def report(timed_scene: Scene, timed_server: Server) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {timed_scene.key()}"}
    answer = httpx.get(f"{timed_server.url}/v1/searches/{ON_TWO}/hardware", headers=headers, timeout=60)
    document: dict[str, Any] = answer.raise_for_status().json()
    return document


def opened(server: Server, key: str, open_page: Open, search: str = ON_TWO, **options: Any) -> tuple[Page, Locator]:
    page = open_page(server.url, key, f"/searches/{search}", **options)
    return page, bring_into_sight(page, "Hardware")


def test_the_matrix_and_the_bars_say_what_the_server_says(
    timed_scene: Scene, timed_server: Server, open_page: Open, report: dict[str, Any]
) -> None:
    _, panel = opened(timed_server, timed_scene.key(), open_page)
    matrix = panel.get_by_role("table", name="Kendall tau of every pair of figures")
    expect(matrix).to_contain_text("Table latency, phone")
    told = {(one["first"], one["second"]): one["kendall_tau"] for one in report["agreement"]}
    params = matrix.locator("tbody tr").first.get_by_role("cell")
    expect(params.nth(2)).to_have_text(f"{told['params', 'table_latency_ms']:.2f}")
    expect(params.last).to_have_text(f"{told['params', 'latency_ms_phone']:.2f}")
    expect(panel.locator(".chart.stage-shares canvas")).to_be_visible()

    panel.get_by_role("button", name="Table").press("Enter")
    pairs = panel.get_by_role("table", name="Agreement in order of every pair of figures").locator("tbody tr")
    expect(pairs).to_have_count(len(report["agreement"]))
    shares = panel.get_by_role("table", name="Share of the teacher of each stage")
    expect(shares.locator("tbody tr")).to_have_count(len(report["stages"]))
    # share and saving of params, GMACs, host and phone
    expect(shares.locator("tbody tr").first.get_by_role("cell").nth(4)).to_have_text("25 %")
    expect(shares.locator("tbody tr").first.get_by_role("cell").nth(5)).to_have_text("19 %")


def test_additivity_is_told_device_by_device(timed_scene: Scene, timed_server: Server, open_page: Open) -> None:
    _, panel = opened(timed_server, timed_scene.key(), open_page)
    table = panel.get_by_role("table", name="How far the sum of blocks is from assembled networks")
    for device in ("host", "phone"):
        row = table.get_by_role("row", name=device)
        expect(row.get_by_role("cell")).to_have_text(["measured", "5", "−10 %", "11 %", "11 %", "0 %", "1.00"])


def test_fronts_and_counter_examples_lead_to_trials(
    timed_scene: Scene, timed_server: Server, open_page: Open, report: dict[str, Any]
) -> None:
    page, panel = opened(timed_server, timed_scene.key(), open_page)
    only = next(
        one["only_first"]
        for one in report["fronts"]["disagreement"]
        if (one["first"], one["second"]) == ("params", "table_latency_ms")
    )
    links = panel.get_by_role("group", name="Trials on the front of Parameters, and not of Table latency").first
    expect(links.get_by_role("link")).to_have_text([str(number) for number in only])

    example = report["counter_examples"][0]
    sentence = panel.locator(".examples li").first
    expect(sentence).to_have_text(example["words"])
    for word in ("cheaper", "dearer"):
        link = sentence.get_by_role("link", name=f"trial {example[word]}")
        link.focus()
        page.keyboard.press("Enter")
        drawer = page.get_by_role("dialog", name=f"Trial {example[word]}")
        expect(drawer).to_be_focused()
        page.keyboard.press("Escape")
        expect(drawer).to_have_count(0)
        expect(link).to_be_focused()
    links.get_by_role("link").first.press("Enter")
    expect(page.get_by_role("dialog", name=f"Trial {only[0]}")).to_be_visible()


def test_nothing_is_asked_before_the_panel_comes_into_sight(
    timed_scene: Scene, timed_server: Server, open_page: Open
) -> None:
    page = open_page(timed_server.url, timed_scene.key(), "/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{timed_server.url}/#/searches/{ON_TWO}")
    expect(page.locator(".epsilon")).to_be_visible()
    page.wait_for_timeout(500)
    assert not [url for url in asked if url.endswith("/hardware")]
    bring_into_sight(page, "Hardware")
    expect(page.locator("section.hardware table.matrix")).to_be_visible()
    page.wait_for_timeout(500)
    assert len([url for url in asked if url.endswith("/hardware")]) == 1


def test_without_a_device_costs_alone_are_compared(timed_scene: Scene, timed_server: Server, open_page: Open) -> None:
    _, panel = opened(timed_server, timed_scene.key(), open_page, ON_NONE)
    expect(panel).to_contain_text("This search has no device")
    expect(panel.locator("table.matrix tbody tr")).to_have_count(2)
    expect(panel.get_by_role("heading", name="Where less is slower")).to_have_count(0)


def test_an_incomplete_library_is_told(timed_scene: Scene, timed_server: Server, open_page: Open) -> None:
    _, panel = opened(timed_server, timed_scene.key(), open_page, UNDISTILLED)
    expect(panel).to_contain_text("The block library is not complete yet.")
    expect(panel.get_by_role("table")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_panel_has_no_fault_and_fits_a_phone(
    timed_scene: Scene, timed_server: Server, open_page: Open, theme: str
) -> None:
    page, panel = opened(timed_server, timed_scene.key(), open_page, color_scheme=theme)
    panel.locator(".chart.stage-shares canvas").wait_for()
    page.evaluate(AXE)
    for _ in range(2):  # the chart and the matrix, and the tables behind them
        found = page.evaluate("axe.run('section.hardware', {resultTypes: ['violations']})")
        assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found["violations"]] == []
        panel.get_by_role("button", name="Table").click()
    page.set_viewport_size({"width": 390, "height": 844})
    expect(panel.locator("table.matrix")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
