from __future__ import annotations

import io
import zipfile

from playwright.sync_api import expect

from storage.administration.exports import Export
from tests.dashboard.browsers import Server, wait_for
from tests.dashboard.conftest import Open
from tests.dashboard.scene import Scene


def test_a_trial_shows_its_stages_its_attempts_and_why_it_failed(
    scene: Scene, server: Server, open_page: Open
) -> None:
    search = scene.submit("detailed", trials=60)
    scene.drive(search)
    with scene.database.reader() as uow:
        failed = next(trial for trial in uow.trials.of_search(search) if trial.status.value == "abandoned")
    page = open_page(server.url, scene.key(), f"/searches/{search}?trial={failed.number}")
    drawer = page.get_by_role("dialog", name=f"Trial {failed.number}")
    expect(drawer.locator(".attempt")).to_contain_text("The network's output is not <b>finite</b>.")
    drawer.get_by_text("Log").click()
    expect(drawer.locator("pre")).to_contain_text("EvaluationError: The network's output is not <b>finite</b>.")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    page.get_by_role("link", name="Trial", exact=False).first.click()
    expect(page.get_by_role("dialog").get_by_role("table", name="Stages of the network")).to_contain_text(
        "of teacher"
    )


def test_a_network_is_exported_and_saved(scene: Scene, server: Server, open_page: Open) -> None:
    search = scene.submit("exported", trials=10)
    scene.drive(search)
    page = open_page(server.url, scene.key(), f"/searches/{search}?trial=0")
    page.get_by_role("button", name="Export this network").click()
    expect(page.get_by_text("waiting")).to_be_visible()

    def waiting() -> list[Export]:
        with scene.database.reader() as uow:
            return list(uow.exports.waiting())

    (export,) = wait_for(waiting)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("report.json", "{}")
    digest = scene.installation.workspace.artifacts.put(content.getvalue())
    with scene.database.unit_of_work() as uow:
        size = len(content.getvalue())
        done = export.evolve(status="done", artifact=digest, size_bytes=size)
        assert uow.exports.replace("waiting", done)
        uow.commit()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "exported-trial-0.zip"
    assert download.value.path().read_bytes() == content.getvalue()
