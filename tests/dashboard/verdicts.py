"""What the page says of a search's trials, and what the server says."""

from __future__ import annotations

import httpx
from playwright.sync_api import Page

from tests.dashboard.browsers import Server

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
