"""The page in a real Chromium: when it can be used, and how soon a change is on the screen."""

from __future__ import annotations

import shutil
import time
from typing import Any

from benchmarks.service.site import Site, quantiles_ms

LIST_ROW = "table.searches tbody tr"
TRIAL_CELL = "[role=gridcell]"
WATCH = """
() => {
  window.__seen = [];
  new MutationObserver(() => window.__seen.push(Date.now()))
    .observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
}
"""
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking")


def measure_page(site: Site, large: str, repeats: int) -> dict[str, Any]:
    """Milliseconds until the list and the large search can be used, and from a change to the screen."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        return {"skipped": "no Chromium on this machine"}
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=list(FLAGS))
        there = f"#/searches/{large}"
        try:
            return {
                "list is usable": _usable(browser, site, "#/", LIST_ROW, repeats=repeats),
                "large search is usable": _usable(browser, site, there, TRIAL_CELL, "canvas", repeats=repeats),
                "update is on the screen": _updates(browser, site, 4 * repeats),
            }
        finally:
            browser.close()


def _page(browser: Any, site: Site) -> Any:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(f"{site.url}/#key={site.key}&/")
    page.wait_for_selector(LIST_ROW, timeout=60_000)
    return page


def _usable(browser: Any, site: Site, place: str, *awaited: str, repeats: int) -> dict[str, float]:
    """From the navigation until everything awaited is visible; the key is known, the browser's cache is warm."""
    page = _page(browser, site)
    spent = []
    for _ in range(repeats):
        page.goto("about:blank")
        began = time.perf_counter()
        page.goto(f"{site.url}/{place}", wait_until="commit")
        for selector in awaited:
            page.wait_for_selector(selector, timeout=60_000)
        spent.append(time.perf_counter() - began)
    page.context.close()
    return dict(quantiles_ms(spent))


def _updates(browser: Any, site: Site, repeats: int) -> dict[str, float]:
    """From sending a change of intent to the first change of the page that shows it, in the browser's own clock."""
    with site.client() as client:
        search = site.submit(client, "watched", 20)
        page = _page(browser, site)
        page.goto(f"{site.url}/#/searches/{search}")
        page.get_by_role("heading", name="watched").wait_for()
        page.wait_for_timeout(2_000)
        page.evaluate(WATCH)
        spent = []
        for number in range(repeats):
            page.wait_for_timeout(400)
            page.evaluate("() => { window.__seen = []; }")
            intent = "pause" if number % 2 == 0 else "run"
            sent = time.time()
            client.patch(f"/v1/searches/{search}", json={"intent": intent}).raise_for_status()
            until = time.monotonic() + 10
            while (seen := page.evaluate("window.__seen[0] ?? 0")) == 0:
                if time.monotonic() > until:
                    raise TimeoutError("The page does not show a change of intent.")
            spent.append(max(0.0, seen / 1e3 - sent))
        client.patch(f"/v1/searches/{search}", json={"intent": "cancel"})
    page.context.close()
    return dict(quantiles_ms(spent))
