"""The page in a real Chromium: when it can be used, and how soon a change is on the screen."""

from __future__ import annotations

import json
import shutil
import time
from typing import Any

from benchmarks.service.site import Site, quantiles_ms

LIST_ROW = "table.searches tbody tr"
TRIAL_CELL = "[role=gridcell]"
CHART = ".chart.pareto canvas"
BOUND = ".epsilon"
"""The line of a bound lies on the chart as soon as trials are drawn."""

WATCH = """
() => {
  window.__seen = [];
  new MutationObserver(() => window.__seen.push(Date.now()))
    .observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
}
"""
USABLE = """
(awaited) => {
  const look = () => {
    if (!awaited.every((selector) => document.querySelector(selector))) return;
    watcher.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.__usable = performance.now(); }));
  };
  const watcher = new MutationObserver(look);
  watcher.observe(document, {subtree: true, childList: true, attributes: true});
}
"""
"""Notes when everything awaited has been there for one frame. Asking from outside would ask twice a second."""

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
        with site.client() as client:
            trials = client.get(f"/v1/searches/{large}").json()["trials"]
        everything = f"[role=grid][aria-rowcount='{trials + 1}']"
        try:
            return {
                "list is usable": _usable(browser, site, "#/", LIST_ROW, repeats=repeats),
                "large search is usable": _usable(browser, site, there, TRIAL_CELL, CHART, repeats=repeats),
                "all its trials are drawn": _usable(browser, site, there, everything, BOUND, repeats=repeats),
                "update is on the screen": _updates(browser, site, 8 * repeats),
            }
        finally:
            browser.close()


def _page(browser: Any, site: Site) -> Any:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(f"{site.url}/#key={site.key}&/")
    page.wait_for_selector(LIST_ROW, timeout=60_000)
    return page


def _usable(browser: Any, site: Site, place: str, *awaited: str, repeats: int) -> dict[str, float]:
    """From the navigation until everything awaited is drawn; the key is known, the browser's cache is warm."""
    page = _page(browser, site)
    page.add_init_script(f"({USABLE})({json.dumps(awaited)})")
    spent = []
    for _ in range(repeats):
        page.goto("about:blank")
        page.goto(f"{site.url}/{place}", wait_until="commit")
        spent.append(_soon(page, "__usable") / 1e3)
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
            spent.append(max(0.0, _soon(page, "__seen[0]") / 1e3 - sent))
        client.patch(f"/v1/searches/{search}", json={"intent": "cancel"})
    page.context.close()
    return dict(quantiles_ms(spent))


def _soon(page: Any, noted: str) -> float:
    until = time.monotonic() + 60
    while not (at := page.evaluate(f"window.{noted} ?? 0")):
        if time.monotonic() > until:
            raise TimeoutError("The page does not show what it should.")
        time.sleep(0.005)
    return float(at)
