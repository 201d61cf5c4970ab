"""Promises about the repository itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("nas", "workers", "api", "storage")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
PRODUCT_FILES = [path for path in MODULES if "migrations/versions" not in path.as_posix()]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_grows_beyond_three_hundred_lines(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= 300


@pytest.mark.parametrize("module", PRODUCT_FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_module_says_what_it_is_for(module: Path) -> None:
    docstring = ast.get_docstring(ast.parse(module.read_text()))
    assert docstring, "no docstring"
    assert "laceholder" not in docstring


def test_there_is_no_drawer_for_everything() -> None:
    drawers = [path for path in MODULES if re.search(r"util|helper|manager|misc|common", path.stem)]
    assert drawers == []


def test_layers_are_kept() -> None:
    finished = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout


def test_help_appears_without_heavy_imports() -> None:
    program = (
        "import sys, api.cli, contextlib\n"
        "with contextlib.suppress(SystemExit): api.cli.main(['--help'])\n"
        "heavy = {'torch', 'ax', 'botorch', 'ray', 'diffusers', 'sqlalchemy', 'matplotlib', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy else 0)"
    )
    finished = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "run" in finished.stdout


def test_nothing_in_the_product_unpickles() -> None:
    forbidden = re.compile(r"\b(pickle\.loads?|torch\.load|joblib\.load|np\.load\([^)]*allow_pickle=True|yaml\.load\([^,)]*\))")
    guilty = [path for path in PRODUCT_FILES if forbidden.search(path.read_text())]
    assert guilty == []


def test_readme_commands_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z-]+)`?", readme)) <= targets
    commands = set(re.findall(r"^\s*(?:\$ )?blocksmith ([a-z]+)", readme, flags=re.MULTILINE))
    assert commands, "the README shows no command"
    started = time.monotonic()
    for command in sorted(commands):
        finished = subprocess.run(
            [sys.executable, "-m", "api.cli", command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert finished.returncode == 0, (command, finished.stderr)
    assert time.monotonic() - started < 60


def test_examples_are_valid_specs_in_form() -> None:
    from api.documents import as_json, read_document
    from nas.domain.search import SearchSpec

    examples = sorted((ROOT / "examples").glob("*.yaml"))
    assert examples
    for example in examples:
        SearchSpec.model_validate_json(as_json(read_document(example.read_text())))


def test_every_architecture_decision_is_indexed() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    for record in (ROOT / "docs" / "decisions").glob("0*.md"):
        assert record.name in index
