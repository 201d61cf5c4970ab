from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.dashboard.browsers import Server
from tests.dashboard.conftest import Open
from tests.dashboard.scene import Scene


def test_projects_keys_and_audit_are_kept(scene: Scene, server: Server, open_page: Open) -> None:
    page = open_page(server.url, scene.key(), "/admin")
    expect(page.get_by_text("No coordinator is alive")).to_be_visible()
    page.get_by_label("Name of a new project").fill("vision")
    page.get_by_role("button", name="Create", exact=True).click()
    page.get_by_role("button", name="Change the quota of vision").click()
    page.get_by_label("Trials of vision").fill("500")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name="vision")).to_contain_text("0 of 500")

    page.get_by_label("Keys and audit of").select_option("vision")
    keys = page.get_by_role("region", name="Keys of vision")
    keys.get_by_label("Name of a new key").fill("nightly")
    keys.get_by_label("Role").select_option("reader")
    keys.get_by_role("button", name="Create key").click()
    secret = page.locator(".secret")
    expect(secret).to_have_text(re.compile(r"^bsk_[a-z0-9]{12}_[\w-]{43}$"))
    token = secret.inner_text()
    page.get_by_role("button", name="Done").click()
    expect(secret).to_have_count(0)

    guest = open_page(server.url, token, quiet=False)
    expect(guest.get_by_text("vision · reader")).to_be_visible()
    page.get_by_role("button", name="Revoke nightly").click()
    expect(page.get_by_role("row", name="nightly")).to_contain_text("revoked")
    guest.reload()
    expect(guest.get_by_label("API key")).to_be_visible()
    page.reload()
    page.get_by_label("Keys and audit of").select_option("vision")
    expect(page.get_by_role("table", name="Writes, newest first")).to_contain_text("key")


def test_keys_of_the_whole_installation_are_listed_for_those_who_have_one(
    scene: Scene, server: Server, open_page: Open
) -> None:
    scene.key("reader", project="default")
    page = open_page(server.url, scene.key(), "/admin")
    keys = page.get_by_role("region", name="Keys of the whole installation")
    expect(keys.get_by_role("row", name="a admin")).to_contain_text("yours")
    keys.get_by_label("Name of a new key").fill("watcher")
    keys.get_by_label("Role").select_option("reader")
    keys.get_by_role("button", name="Create key").click()
    expect(keys.get_by_role("row", name="watcher")).to_contain_text("valid")
    expect(keys.get_by_role("row")).to_have_count(3)  # the project's key stands with its project

    of_project = open_page(server.url, scene.key("admin", project="default"), "/admin")
    expect(of_project.get_by_role("region", name="Keys of default")).to_be_visible()
    expect(of_project.get_by_role("region", name="Keys of the whole installation")).to_have_count(0)
