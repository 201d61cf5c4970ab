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
SOURCES = sorted({*MODULES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")})
PRODUCT_FILES = [path for path in MODULES if "migrations/versions" not in path.as_posix()]


@pytest.mark.parametrize("module", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_grows_beyond_three_hundred_lines(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= 300


@pytest.mark.parametrize("module", PRODUCT_FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_module_says_what_it_is_for(module: Path) -> None:
    docstring = ast.get_docstring(ast.parse(module.read_text()))
    assert docstring, "no docstring"
    assert "laceholder" not in docstring


def test_every_fault_hidden_from_the_type_checker_has_its_reason_beside_it() -> None:
    hidden = re.compile(r"# type: ignore(?:\[[\w, -]+\])?\s*$", flags=re.MULTILINE)
    assert [path.relative_to(ROOT).as_posix() for path in SOURCES if hidden.search(path.read_text())] == []


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
        "heavy = {'torch', 'ax', 'botorch', 'ray', 'diffusers', 'sqlalchemy', 'matplotlib', 'numpy'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy else 0)"
    )
    finished = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "run" in finished.stdout


def test_nothing_in_the_product_unpickles() -> None:
    forbidden = re.compile(
        r"\b(?:pickle\.loads?|(?<!safetensors\.)torch\.load|joblib\.load|np\.load\([^)]*allow_pickle=True|yaml\.load\([^,)]*\))"
    )
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
            [sys.executable, "-m", "api.cli", command, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
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


def test_the_command_line_reference_is_up_to_date(tmp_path: Path) -> None:
    typer = str(Path(sys.executable).parent / "typer")
    arguments = ["api.cli.main", "utils", "docs", "--name", "blocksmith", "--output", str(tmp_path / "cli.md")]
    subprocess.run([typer, *arguments], cwd=ROOT, check=True, capture_output=True)
    assert (tmp_path / "cli.md").read_text() == (ROOT / "docs" / "cli.md").read_text(), "run `make docs`"


def test_every_registered_name_is_in_the_documentation() -> None:
    from api.composition import registered_names
    from nas.domain.metric import METRICS
    from nas.space.blocks.base import BLOCK_FAMILIES
    from nas.space.blocks.catalogue import FAMILY_MODULES

    assert FAMILY_MODULES
    text = "".join(page.read_text() for page in (ROOT / "docs").rglob("*.md"))
    names = [name for kind in registered_names().values() for name in kind]
    names += [metric.name for metric in METRICS] + list(BLOCK_FAMILIES.names())
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_setting_is_documented() -> None:
    from api.settings import Settings

    text = "".join(page.read_text() for page in (ROOT / "docs").rglob("*.md"))
    settings = [f"BLOCKSMITH_{name.upper()}" for name in Settings.model_fields]
    assert [name for name in settings if name not in text] == []
