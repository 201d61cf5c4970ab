from __future__ import annotations

from playwright.sync_api import expect

from tests.dashboard.browsers import Server
from tests.dashboard.conftest import Open
from tests.dashboard.scene import Scene


def test_a_key_in_the_address_signs_in_and_leaves_no_trace_there(
    finished_scene: Scene, finished_server: Server, open_page: Open
) -> None:
    key = finished_scene.key()
    page = open_page(finished_server.url, key)
    expect(page.get_by_role("link", name="finished")).to_be_visible()
    assert key not in page.url
    assert page.evaluate("[...Object.values(localStorage), document.cookie].join()").find(key) < 0


def test_a_wrong_key_is_refused_in_words_and_a_good_one_let_in(
    finished_scene: Scene, finished_server: Server, open_page: Open
) -> None:
    page = open_page(finished_server.url, quiet=False)
    page.get_by_label("API key").fill("bsk_aaaaaaaaaaaa_" + "x" * 43)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The key is not valid.")
    page.get_by_label("API key").fill(finished_scene.key())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Searches")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_focused()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_key_of_one_project_sees_nothing_of_another(scene: Scene, server: Server, open_page: Open) -> None:
    from storage.administration.projects import Project

    with scene.database.unit_of_work() as uow:
        uow.projects.add(Project(id="theirs", created_at=1.0))
        uow.commit()
    scene.submit("ours")
    hidden = scene.submit("secret-of-theirs", project="theirs")
    page = open_page(server.url, scene.key("admin", "default"), quiet=False)
    expect(page.get_by_role("link", name="ours")).to_be_visible()
    page.goto(f"{server.url}/#/searches/{hidden}")
    expect(page.get_by_role("alert")).to_contain_text("There is no search")
    page.goto(f"{server.url}/#/admin")
    expect(page.get_by_role("cell", name="default", exact=True).first).to_be_visible()
    assert "theirs" not in page.inner_text("main")


def test_a_reader_is_offered_nothing_that_writes(
    finished_scene: Scene, finished_server: Server, open_page: Open
) -> None:
    page = open_page(finished_server.url, finished_scene.key("reader", "default"))
    page.get_by_role("link", name="finished").click()
    expect(page.get_by_role("heading", name="finished")).to_be_visible()
    assert page.get_by_role("link", name="New search").count() == 0
    assert page.get_by_role("button", name="Delete").count() == 0
    page.get_by_label("Relative noise MSE", exact=True).fill("0.004")
    expect(page.get_by_text("Your key may look, not save.")).to_be_visible()
