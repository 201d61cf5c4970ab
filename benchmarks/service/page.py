"""The page in a real Chromium: when it can be used, and how soon a change is on the screen."""

from __future__ import annotations

import shutil
import time
from typing import Any

from benchmarks.service.site import Site, quantiles_ms

USABLE = "document.querySelector('[data-ready], [role=grid] [role=row], table tbody tr, canvas') !== null"
WATCH = """
() => {
  window.__seen = [];
  new MutationObserver(() => window.__seen.push(Date.now()))
    .observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
}
"""
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking")


def measure_page(site: Site, large: str, repeats: int) -> dict[str, Any]:
    """Seconds until the list and the large search can be used; milliseconds from a change to the screen."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        return {"skipped": "no Chromium on this machine"}
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=list(FLAGS))
        try:
            return {
                "list_usable_s": _usable(browser, site, "#/", repeats),
                "large_search_usable_s": _usable(browser, site, f"#/searches/{large}", repeats),
                "update": _updates(browser, site, repeats),
            }
        finally:
            browser.close()


def _page(browser: Any, site: Site) -> Any:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(f"{site.url}/#key={site.key}")
    page.wait_for_function(USABLE, timeout=60_000)
    return page


def _usable(browser: Any, site: Site, place: str, repeats: int) -> dict[str, float]:
    """From the navigation to the first row or plot; the key is known already, the browser's cache is warm."""
    page = _page(browser, site)
    spent = []
    for _ in range(repeats):
        page.goto("about:blank")
        began = time.perf_counter()
        page.goto(f"{site.url}/{place}")
        page.wait_for_function(USABLE, timeout=60_000, polling=10)
        spent.append(time.perf_counter() - began)
    page.context.close()
    return {name.replace("_ms", "_s"): value / 1e3 for name, value in quantiles_ms(spent).items()}


def _updates(browser: Any, site: Site, repeats: int) -> dict[str, float]:
    """From the moment the API has answered a change of intent to the first change of the page."""
    with site.client() as client:
        search = site.submit(client, "watched", 20)
        page = _page(browser, site)
        page.goto(f"{site.url}/#/searches/{search}")
        page.wait_for_timeout(2_000)
        page.evaluate(WATCH)
        spent = []
        for number in range(max(10, repeats)):
            page.wait_for_timeout(400)
            page.evaluate("() => { window.__seen = []; }")
            intent = "pause" if number % 2 == 0 else "run"
            sent = time.time()
            client.patch(f"/v1/searches/{search}", json={"intent": intent}).raise_for_status()
            page.wait_for_function("window.__seen.length > 0", timeout=10_000, polling=5)
            spent.append(max(0.0, page.evaluate("window.__seen[0]") / 1e3 - sent))
        client.patch(f"/v1/searches/{search}", json={"intent": "cancel"})
    page.context.close()
    return dict(quantiles_ms(spent))
