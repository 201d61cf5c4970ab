from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.routes import page as routes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(routes, "FOLDER", tmp_path)
    (tmp_path / "index.html").write_text('<script type="module" src="/static/main.js"></script>')
    (tmp_path / "main.js").write_text("one")
    return tmp_path


@pytest.fixture
def client(folder: Path) -> httpx.Client:
    app = FastAPI()
    routes.install(app)
    return TestClient(app)


def main_of(client: httpx.Client) -> str:
    found = re.search(r'src="(/static/[0-9a-f]{12}/main\.js)"', client.get("/").text)
    assert found is not None
    return found[1]


def test_a_module_is_kept_and_an_upgrade_shows_at_once(client: httpx.Client, folder: Path) -> None:
    first = main_of(client)
    assert client.get(first).text == "one"
    assert "immutable" in client.get(first).headers["Cache-Control"]
    (folder / "main.js").write_text("two")
    second = main_of(client)
    assert second != first
    assert client.get(second).text == "two"


def test_bytes_are_never_kept_under_the_name_of_another_edition(client: httpx.Client) -> None:
    main_of(client)
    for path in ("/static/0123456789ab/main.js", "/static/main.js"):
        answer = client.get(path)
        assert answer.text == "one"
        assert answer.headers["Cache-Control"] == "no-cache"


def test_the_page_itself_is_always_asked_for(client: httpx.Client) -> None:
    assert client.get("/").headers["Cache-Control"] == "no-cache"
