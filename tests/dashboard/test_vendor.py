from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

DASHBOARD = Path(__file__).resolve().parents[2] / "api" / "dashboard"
VENDOR = DASHBOARD / "vendor"
ROW = re.compile(r"^\| `([^`]+)` \|.*`([0-9a-f]{64})` \|$", re.MULTILINE)
TABLE = dict(ROW.findall((VENDOR / "README.md").read_text()))
MODULES = sorted(path for path in DASHBOARD.rglob("*.js") if VENDOR not in path.parents)


@pytest.mark.parametrize("file", sorted(path.name for path in VENDOR.glob("*.mjs")))
def test_a_vendored_library_is_the_one_that_was_published(file: str) -> None:
    assert hashlib.sha256((VENDOR / file).read_bytes()).hexdigest() == TABLE[file]


def test_every_row_of_the_table_has_its_file() -> None:
    assert [name for name in TABLE if not (VENDOR / name).is_file()] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(DASHBOARD).as_posix())
def test_a_module_of_the_page_is_small_and_says_what_it_is_for(module: Path) -> None:
    text = module.read_text()
    assert text.startswith("/**")
    lines = text.splitlines()
    assert len(lines) <= 300
    assert [line for line in lines if len(line) > 130] == []


def test_the_page_names_no_host_and_holds_no_inline_code() -> None:
    page = (DASHBOARD / "index.html").read_text()
    sources = "".join(module.read_text() for module in MODULES)
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", page + sources) == []
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page) == []
    assert re.findall(r"\binnerHTML\b|\beval\(|new Function|dangerouslySetInnerHTML", sources) == []


def test_no_module_waits_until_another_has_been_read() -> None:
    page = (DASHBOARD / "index.html").read_text()
    preloaded = re.findall(r'rel="modulepreload" href="/static/([^"]+\.js)"', page)
    names = [module.relative_to(DASHBOARD).as_posix() for module in MODULES]
    first = ["session.js", "client.js", "router.js", "charts/library.js"]  # what start.js needs to ask for a search
    assert preloaded == first + [name for name in names if name not in (*first, "main.js", "start.js")]
