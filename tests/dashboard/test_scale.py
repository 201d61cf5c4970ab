"""Even and logarithmic axes: where values lie, which suits them, and that everything on the plot follows."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.browsers import Server, wait_for
from tests.dashboard.conftest import Open
from tests.dashboard.scene import Scene
from tests.dashboard.verdicts import SLIDER, within

MODULE = "const { LINEAR, symlog, scaleFor, fittingRange } = await import('/static/charts/scale.js');"


def in_browser(page: Page, expression: str, *given: Any) -> Any:
    return page.evaluate(f"async (given) => {{ {MODULE} return {expression}; }}", list(given))


def test_a_logarithmic_axis_has_room_for_zero(finished_server: Server, open_page: Open) -> None:
    page = open_page(finished_server.url)
    values = [0, 5e-7, 1e-6, 2e-6, 1e-3, 0.3, 1, 70_000]
    places = in_browser(page, "given.map(symlog(-6).place)", *values)
    assert places[2:] == pytest.approx([math.log10(value) for value in values[2:]])
    assert places[:2] == [-7, -6.5]  # evenly down to zero, one decade's length beneath
    back = in_browser(page, "given.map((place) => symlog(-6).value(place))", *places)
    assert back == pytest.approx(values)
    labels = in_browser(page, "given.map(symlog(-6).label)", -7, -6, -3, -2.5, 0, 4)
    assert labels == ["0", "10⁻⁶", "10⁻³", "0.0032", "1", "10 k"]


@pytest.mark.parametrize(
    ("metric", "values", "wanted", "scale"),
    [
        ("noise_mse", [0, 2e-6, None, 1], None, "log"),
        ("noise_mse", [0, 0.02, None, 1], None, "linear"),
        ("noise_mse", [0, None], None, "linear"),
        ("noise_mse", [0, 2e-6, 1], "linear", "linear"),
        ("params", [1, 1_000_000], None, "linear"),
        ("params", [20_000, 70_000], "log", "log"),
        ("noise_mse", [0, None], "log", "log"),
    ],
)
def test_fidelity_over_more_than_two_decades_is_shown_by_powers_of_ten(
    finished_server: Server,
    open_page: Open,
    metric: str,
    values: list[float | None],
    wanted: str | None,
    scale: str,
) -> None:
    page = open_page(finished_server.url)
    assert in_browser(page, "scaleFor(...given).name", metric, values, wanted) == scale


def test_a_logarithmic_axis_shows_all_and_an_even_one_what_is_near_the_bound(
    finished_server: Server, open_page: Open
) -> None:
    page = open_page(finished_server.url)
    values = [0, 2e-6, None, 0.7]
    assert in_browser(page, "fittingRange(symlog(-6), ...given)", values, 0.005, False) == [-7, 0]
    assert in_browser(page, "fittingRange(symlog(-6), ...given)", values, 20, False) == [-7, 2]
    assert in_browser(page, "fittingRange(LINEAR, ...given)", values, 0.005, False) == [0, pytest.approx(0.015)]
    assert in_browser(page, "fittingRange(LINEAR, ...given)", values, 0.005, True) is None
    assert in_browser(page, "fittingRange(symlog(-6), ...given)", [None], 0.005, False) is None


def test_a_bound_moves_by_factors_or_by_steps_and_is_judged_alike(
    finished_scene: Scene, finished_server: Server, open_page: Open
) -> None:
    key = finished_scene.key()
    points = httpx.get(
        f"{finished_server.url}/v1/searches/search-001/points", headers={"Authorization": f"Bearer {key}"}
    ).json()
    noise = [mean for mean in points["metrics"]["noise_mse_relative"]["mean"] if mean is not None]
    page = open_page(finished_server.url, key, "/searches/search-001")
    scale = page.get_by_role("group", name="Scale of y")
    line = page.get_by_role("slider", name=SLIDER)
    everything = page.get_by_role("button", name="All trials")
    expect(scale.get_by_role("button", name="Log")).to_have_attribute("aria-pressed", "true")
    expect(everything).to_have_count(0)

    def bound() -> float:
        return float(line.get_attribute("aria-valuenow") or 0)

    def highest() -> float:
        return float(line.get_attribute("aria-valuemax") or 0)

    def pressed() -> list[float]:
        values = [bound()]
        for _ in range(2):
            line.press("Shift+ArrowUp")
            wait_for(lambda: bound() > values[-1])
            values.append(bound())
        return values

    def dragged() -> None:
        box = page.locator(".chart.pareto").bounding_box()
        here = line.bounding_box()
        assert box is not None
        assert here is not None
        middle, target = here["y"] + here["height"] / 2, box["y"] + box["height"] * 0.55
        page.mouse.move(box["x"] + 300, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + 300, target, steps=3)
        page.mouse.up()
        wait_for(lambda: abs(line.evaluate("(line) => line.getBoundingClientRect().y") + 6.5 - target) < 2)
        wait_for(lambda: within(page) == sum(mean <= bound() for mean in noise))

    factors = [b / a for a, b in pairwise(pressed())]
    assert factors[0] == pytest.approx(factors[1], rel=0.01)
    dragged()
    page.get_by_role("button", name="Discard").click()

    shown = highest()
    page.get_by_role("button", name="Zoom in").click()
    wait_for(lambda: highest() < shown)
    scale.get_by_role("button", name="Linear").click()
    assert page.url.endswith("?yscale=linear")
    wait_for(lambda: highest() == pytest.approx(0.015))  # three times the bound: the zoom was another axis'
    steps = [b - a for a, b in pairwise(pressed())]
    assert steps[0] == pytest.approx(steps[1], rel=0.01)
    dragged()
    page.reload()
    expect(scale.get_by_role("button", name="Linear")).to_have_attribute("aria-pressed", "true")
    everything.click()
    wait_for(lambda: highest() >= max(noise))
    page.get_by_role("region", name="Trials and front").locator("select").last.select_option("feature_distance")
    assert "yscale" not in page.url  # another metric begins with the scale that suits it


def test_hypervolume_is_a_share_of_the_reference_box(
    finished_scene: Scene, finished_server: Server, open_page: Open
) -> None:
    key = finished_scene.key()
    history = httpx.get(
        f"{finished_server.url}/v1/searches/search-001/hypervolume", headers={"Authorization": f"Bearer {key}"}
    ).json()
    page = open_page(finished_server.url, key, "/searches/search-001")
    panel = page.get_by_role("region", name="Hypervolume")
    expect(panel.get_by_text("Fixed reference:")).to_be_visible()
    panel.locator("canvas").hover()  # what it shows there is drawn, as the security policy asks
    panel.get_by_role("button", name="Table").click()
    cells = panel.get_by_role("row").last.get_by_role("cell")
    share = float(cells.nth(1).inner_text())
    assert 0 < share < 1
    last = history["points"][-1]
    assert share == pytest.approx(last["hypervolume"] / math.prod(history["reference"]), rel=1e-3)
