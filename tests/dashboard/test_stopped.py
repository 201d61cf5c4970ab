"""What was stopped early: said wherever the trial is shown, on no front, judged by no bound."""

from __future__ import annotations

import re
from typing import Any

import httpx
from playwright.sync_api import expect

from tests.dashboard.browsers import Server, wait_for
from tests.dashboard.conftest import Open
from tests.dashboard.scene import Scene
from tests.dashboard.verdicts import feasible_by_server, feasible_on_page

LOOSER = 0.02


def asked(server: Server, key: str, place: str) -> Any:
    answer = httpx.get(f"{server.url}/v1/searches/{place}", headers={"Authorization": f"Bearer {key}"})
    return answer.raise_for_status().json()


def stopped(server: Server, key: str, search: str) -> dict[int, float]:
    """Share of the samples by number of the trials that were stopped."""
    points = asked(server, key, f"{search}/points")
    return {number: share for number, share in zip(points["number"], points["share"], strict=True) if share < 1}


def test_a_stopped_trial_says_so_and_is_on_no_front(scene: Scene, server: Server, open_page: Open) -> None:
    search = scene.submit("stopped", trials=60, stop_early=True)
    scene.drive(search)
    key = scene.key()
    shares = stopped(server, key, search)
    assert set(shares.values()) <= {0.25, 0.5}
    page = open_page(server.url, key, f"/searches/{search}")
    expect(page.locator(".bounds .verdict")).to_contain_text(f"{len(shares)} stopped early")
    expect(page.locator("ul.legend")).to_contain_text(f"stopped early ({len(shares)})")
    page.get_by_label("Filter trials").fill("stopped")
    expect(page.locator("#trials-title + span")).to_have_text(f"{len(shares)} of 60")
    number = max(shares)  # the newest stand first
    seen = f"stopped at {100 * shares[number]:.3g} %"
    row = page.locator(f"#row-{number}")
    verdict = row.locator(".clip").first
    expect(verdict).to_have_text(seen)
    assert verdict.evaluate("(cell) => cell.scrollWidth <= cell.clientWidth")  # nothing of it is cut off
    row.get_by_role("link").click()
    drawer = page.get_by_role("dialog", name=f"Trial {number}", exact=True)
    expect(drawer.locator(".notice")).to_contain_text(f"{seen} of the samples")
    bound = drawer.get_by_role("row", name="Relative noise MSE").get_by_role("cell").last
    expect(bound).to_contain_text("violated by")
    page.get_by_label("Relative noise MSE", exact=True).fill("0.9")
    expect(bound).to_have_text("too few samples to tell")
    page.get_by_role("button", name="Discard").press("Enter")
    drawer.press("Escape")
    panel = page.get_by_role("region", name="Trials and front", exact=True)
    panel.get_by_role("button", name="Table").click()
    front = panel.get_by_role("table", name="Trials on the front")
    on_page = {int(text) for text in front.get_by_role("link").all_inner_texts()}
    assert on_page == {point["trial"] for point in asked(server, key, f"{search}/front")["points"]}
    assert on_page.isdisjoint(shares)


def test_a_looser_bound_on_the_page_takes_in_no_stopped_trial(scene: Scene, server: Server, open_page: Open) -> None:
    search = scene.submit("loosened", trials=60, stop_early=True)
    scene.drive(search)
    key = scene.key()
    shares = stopped(server, key, search)
    points = asked(server, key, f"{search}/points")
    noise = points["metrics"]["noise_mse_relative"]["mean"]
    by_mean = {n for n, mean in zip(points["number"], noise, strict=True) if mean is not None and mean <= LOOSER}
    assert by_mean & set(shares)  # their means alone would let them in
    page = open_page(server.url, key, f"/searches/{search}")
    page.get_by_label("Relative noise MSE", exact=True).fill(str(LOOSER))
    save = page.get_by_role("button", name="Save as version 1")
    expect(save).to_be_enabled()
    on_page = feasible_on_page(page)
    assert on_page == by_mean - set(shares)
    save.click()
    expect(page.get_by_label("Version of the bounds")).to_have_value("1")
    assert on_page == feasible_by_server(server, key, search, 1)
    expect(page.locator(".bounds .verdict")).to_contain_text(f"{len(shares)} stopped early")


def test_a_running_search_evaluates_again_what_a_looser_bound_lets_in(
    scene: Scene, server: Server, open_page: Open
) -> None:
    search = scene.submit("reopened", trials=60, stop_early=True)
    scene.drive(search, trials=40)
    key = scene.key()
    before = stopped(server, key, search)
    page = open_page(server.url, key, f"/searches/{search}")
    expect(page.locator(".bounds .verdict")).to_contain_text(f"{len(before)} stopped early")
    page.get_by_label("Relative noise MSE", exact=True).fill(str(LOOSER))
    page.get_by_role("button", name="Save as version 1").click()
    wait_for(lambda: len(scene.search(search).problems) == 2)
    scene.drive(search)
    after = stopped(server, key, search)
    again = set(before) - set(after)
    assert again
    expect(page.locator(".search-header")).to_contain_text("completed")
    expect(page.locator(".bounds .verdict")).to_contain_text(re.compile(rf"\b{len(after)} stopped early"))
    wait_for(lambda: feasible_on_page(page) == feasible_by_server(server, key, search, 1))
    assert again & feasible_on_page(page)
