"""What the documents tell people to type and to open exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from api.cli.main import app
from tests.deployment.composition import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OTHERS = ("&&", ";", "|", "#", "&")


def shell_lines(page: Path) -> Iterator[str]:
    """Lines of shell blocks, continued ones joined."""
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL):
        yield from block.replace("\\\n", " ").splitlines()


def commands(page: Path) -> Iterator[list[str]]:
    """Words after every `blocksmith` of a page's shell blocks, up to the next command."""
    for line in shell_lines(page):
        words = shlex.split(line, comments=True)
        named = [at for at, word in enumerate(words) if word.endswith("blocksmith") and "=" not in word]
        for start in (at for at in named if at == 0 or words[at - 1] != "--namespace"):
            rest = words[start + 1 :]
            yield rest[
                : next((at for at, word in enumerate(rest) if word.rstrip(";") != word or word in OTHERS), None)
            ]


def options_of(words: list[str]) -> set[str]:
    """Options of the command that the words name.

    Raises:
        KeyError: If there is no such command.
    """
    command: Any = typer.main.get_command(app)
    for word in words:
        if not hasattr(command, "commands"):
            break
        command = command.commands[word]
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_and_option_shown_exists(page: Path) -> None:
    wrong = []
    for words in commands(page):
        if not words or words[0].startswith("-") or not re.fullmatch(r"[a-z-]+", words[0]):
            continue
        try:
            known = options_of(words) | {"--help"}
        except KeyError as error:
            wrong.append(f"{' '.join(words)}: no command {error}")
            continue
        wrong += [f"{' '.join(words)}: no option {word}" for word in words if word[:2] == "--" and word not in known]
    assert wrong == []


def test_commands_are_found_at_all() -> None:
    assert ["up", "--detach"] in list(commands(ROOT / "README.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_of_ours_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
