from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.dashboard.browsers import Server
from tests.dashboard.conftest import Open
from tests.dashboard.scene import Scene

SLOW_MS = 90_000
"""The first check of a spec builds the reference teacher."""


def test_faults_stand_at_their_fields_and_a_valid_spec_is_submitted(
    scene: Scene, server: Server, open_page: Open
) -> None:
    page = open_page(server.url, scene.key(), "/new", quiet=False)  # a refused spec is an error to the console
    page.get_by_label("Name", exact=True).fill("made <here>")
    page.get_by_label("Trials").fill("0")
    page.get_by_label("Bound 1, at most").fill("-1")
    page.get_by_label("Seed").focus()
    expect(page.get_by_text("3 faults")).to_be_visible(timeout=SLOW_MS)
    for label in ("Name", "Trials", "Bound 1, at most"):
        expect(page.get_by_label(label, exact=True)).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Name", exact=True).fill("made-here")
    page.get_by_label("Trials").fill("12")
    page.get_by_label("Bound 1, at most").fill("0.04")
    page.get_by_label("Seed").focus()
    expect(page.get_by_text("Valid:")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="Submit search").click()
    expect(page.get_by_role("heading", name="made-here")).to_be_visible(timeout=SLOW_MS)
    with scene.database.reader() as uow:
        (search,) = uow.searches.list()
    assert search.spec.budget.trials == 12
    assert search.problem.constraints[0].at_most == 0.04


def test_form_and_text_are_one_spec(scene: Scene, server: Server, open_page: Open) -> None:
    page = open_page(server.url, scene.key(), "/new", quiet=False)
    page.get_by_label("Name", exact=True).fill("written")
    page.get_by_label("Pick blocks").check()
    page.locator("summary", has_text="Mid").click()
    page.get_by_role("group", name="Blocks of Mid").get_by_label("removed").check()
    page.get_by_role("button", name="Text").click()
    text = page.get_by_label("Spec as YAML or JSON")
    expect(text).to_have_value(re.compile(r"name: written[\s\S]*Mid: .*removed"))
    text.fill("name: [")
    expect(page.get_by_text("The text is not valid YAML.")).to_be_visible()
    expect(page.get_by_role("button", name="Form")).to_be_disabled()
    text.fill("name: rewritten\nobjectives: [gmacs]\nbudget: {trials: 9, colour: red}\n")
    expect(page.locator("#spec-faults")).to_contain_text("/budget/colour", timeout=SLOW_MS)
    page.get_by_role("button", name="Form").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("rewritten")
    expect(page.get_by_label("Objective", exact=True)).to_have_value("gmacs")
    expect(page.get_by_label("Trials")).to_have_value("9")


def test_a_search_is_cloned_into_the_form(scene: Scene, server: Server, open_page: Open) -> None:
    search = scene.submit("original", trials=33)
    page = open_page(server.url, scene.key(), f"/searches/{search}")
    page.get_by_role("link", name="Clone").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("original-2")
    expect(page.get_by_label("Trials")).to_have_value("33")
    expect(page.get_by_label("Try first")).to_have_value(search)
