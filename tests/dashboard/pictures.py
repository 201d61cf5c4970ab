"""Takes the pictures of the page in `docs/images`: `python -m tests.dashboard.pictures [URL KEY SEARCH TIMED]`.

Without arguments they show searches on the synthetic landscape of the tests.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from api.service import devices
from nas.domain.objective import OutcomeConstraint
from tests.dashboard.browsers import Server, launch
from tests.dashboard.scene import Scene
from tests.dashboard.timed import ON_TWO, fill_searches, note_devices

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
DESKTOP, PHONE = (1440, 900), (390, 844)
TALL = (1440, 1300)  # the model stands between blocks and trials
MOST_BYTES = 300_000


def take(browser: Browser, url: str, key: str, search: str, timed: str) -> None:
    """Every view, light and dark, and the narrow ones; `timed` is a search that has devices."""
    views = {
        "searches": "/",
        "search": f"/searches/{search}",
        "selection": f"/searches/{search}?sel=3,9",
        "model": f"/searches/{search}",
        "hardware": f"/searches/{timed}",
        "trial": f"/searches/{search}?trial=17",
        "new": "/new",
        "devices": "/devices",
        "admin": "/admin",
    }
    for theme in ("light", "dark"):
        for name, place in {"sign-in": "", **views}.items():
            picture(
                browser,
                url,
                key if place else "",
                place or "/",
                f"{name}-{theme}",
                theme,
                TALL if name == "selection" else DESKTOP,
            )
    for name in ("searches", "search", "trial", "hardware", "devices"):
        picture(browser, url, key, views[name], f"{name}-phone", "light", PHONE)


def picture(browser: Browser, url: str, key: str, place: str, name: str, theme: str, size: tuple[int, int]) -> None:
    """One view as a file of bounded size."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=theme)
    page = context.new_page()
    page.goto(f"{url}/#key={key}&{place}" if key else url)
    page.wait_for_load_state("networkidle") if not key else page.locator("main h1").wait_for()
    if name.startswith(("search-", "selection-", "model-")):
        page.locator(".epsilon").wait_for()
    if name.startswith(("selection-", "model-")):
        page.locator("section.model").scroll_into_view_if_needed()
        page.locator(".chart.predictions canvas").wait_for(timeout=90_000)  # the first fit of a process imports Ax
    if name.startswith("hardware-"):
        page.set_viewport_size({"width": size[0], "height": 2200})  # whole, with nothing sticking to its top
        page.locator(".epsilon").wait_for()
        page.locator("section.hardware").scroll_into_view_if_needed()
        page.locator(".chart.stage-shares canvas").wait_for()
    if name.startswith("devices-"):
        page.get_by_role("table", name="Devices that a spec may name").wait_for()
    if name.startswith("new-"):
        page.get_by_role("button", name="Add a bound").wait_for()
    if name.startswith("selection-"):
        page.locator("section", has=page.locator(".heat-map")).last.evaluate(
            "(one) => scrollTo(0, one.offsetTop - 60)"
        )
    page.wait_for_timeout(900)  # charts and second reads; nothing depends on it but looks
    file = IMAGES / f"dashboard-{name}.png"
    panel = next((one for one in ("model", "hardware") if name.startswith(f"{one}-")), None)
    shown = page.locator(f"section.{panel}") if panel else page
    shown.screenshot(path=file)
    context.close()
    assert file.stat().st_size <= MOST_BYTES, file


def main() -> None:
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = launch(playwright)
        if len(sys.argv) == 5:
            take(browser, *sys.argv[1:])
        else:
            scene = Scene(Path(folder))
            bound = OutcomeConstraint(metric="noise_mse_relative", at_most=0.01)
            search = scene.submit("unet-params", trials=300, stop_early=True, constraints=(bound,))
            scene.drive(search)
            running = scene.submit("unet-latency", trials=200, objectives=("params", "noise_mse"))
            scene.drive(running, trials=80)
            scene.submit("unet-next", trials=60)
            fill_searches(scene)
            note_devices(scene)
            devices.ALIVE_WITHIN_S = 3600.0  # type: ignore[misc] # no coordinator repeats what it sees
            server = Server(scene)
            take(browser, server.url, scene.key(), search, ON_TWO)
            server.stop()
            scene.close()
        browser.close()


if __name__ == "__main__":
    main()
