"""Commands that steer searches, without any server: the same app answers inside the process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.cli import main
from tests.up.service import write_spec


class Terminal:
    """Runs commands on one data directory, in this process."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def run(self, *arguments: str, expect: int = 0) -> str:
        with pytest.raises(SystemExit) as caught:
            main([*arguments, "--data", str(self.folder / "data")])
        told = self._capsys.readouterr()
        assert int(caught.value.code or 0) == expect, told
        assert "Traceback" not in told.err
        return told.out

    def ask(self, *arguments: str, expect: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", expect=expect))


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("BLOCKSMITH_ALLOWED_ROOTS", json.dumps([str(tmp_path)]))
    return Terminal(tmp_path, capsys)


@pytest.fixture
def search(terminal: Terminal, tmp_path: Path) -> str:
    return str(terminal.ask("submit", str(write_spec(tmp_path)))["search"])


def test_submitting_without_a_server_says_what_to_start(terminal: Terminal, tmp_path: Path) -> None:
    told = terminal.run("submit", str(write_spec(tmp_path)))
    assert "blocksmith watch tiny-" in told
    assert "blocksmith up" in told


def test_checking_a_spec_submits_nothing(terminal: Terminal, tmp_path: Path) -> None:
    assert terminal.ask("submit", str(write_spec(tmp_path)), "--check")["architectures_in_space"] == 18
    assert terminal.ask("searches") == []


def test_intent_is_written_and_read_again(terminal: Terminal, search: str) -> None:
    assert terminal.ask("pause", search)["intent"] == "pause"
    assert terminal.ask("searches")[0]["intent"] == "pause"
    assert terminal.ask("cancel", "latest")["intent"] == "cancel"


def test_bounds_move_one_by_one_and_can_be_dropped(terminal: Terminal, search: str) -> None:
    assert terminal.ask("bounds", search)[0]["constraints"] == [{"metric": "noise_mse", "at_most": 10.0, "grid": []}]
    moved = terminal.ask("bounds", search, "params=20000", "noise_mse=0.5")[-1]
    assert {bound["metric"]: bound["at_most"] for bound in moved["constraints"]} == {
        "params": 20000,
        "noise_mse": 0.5,
    }
    dropped = terminal.ask("bounds", search, "params=")[-1]
    assert [bound["metric"] for bound in dropped["constraints"]] == ["noise_mse"]
    assert dropped["version"] == 2


@pytest.mark.parametrize("text", ["noise_mse", "=3", "noise_mse=little"])
def test_a_bound_that_is_none_is_named(terminal: Terminal, search: str, text: str) -> None:
    problem = terminal.ask("bounds", search, text, expect=2)["error"]
    assert [fault["pointer"] for fault in problem["errors"]] == [text]


def test_a_bound_nobody_can_meet_is_refused_with_the_nearest(terminal: Terminal, search: str) -> None:
    (fault,) = terminal.ask("bounds", search, "params=1", expect=2)["error"]["errors"]
    assert float(fault["nearest"]) > 1


def test_a_clone_differs_where_it_is_told_to(terminal: Terminal, search: str) -> None:
    made = terminal.ask("clone", search, "--change", "budget.trials=3", "--change", "name=smaller")
    assert (made["parent"], made["budget"], made["name"]) == (search, 3, "smaller")
    problem = terminal.ask("clone", search, "--change", "budget=3", "--change", "budget.trials=4", expect=2)
    assert problem["error"]["errors"][0]["pointer"] == "budget.trials=4"


def test_a_search_goes_to_the_trash_and_comes_back(terminal: Terminal, search: str) -> None:
    assert terminal.ask("delete", search, expect=1)["error"]["code"] == "conflict", "it may be running"
    terminal.ask("pause", search)
    from api.installation import Installation
    from nas.domain.lifecycle import SearchStatus

    installation = Installation(terminal.folder / "data")
    with installation.database.unit_of_work() as uow:  # what a coordinator does
        uow.searches.replace(SearchStatus.CREATED, uow.searches.get(search).evolve(status=SearchStatus.PAUSED))
        uow.commit()
    terminal.ask("delete", search)
    assert terminal.ask("searches") == []
    assert [found["search"] for found in terminal.ask("searches", "--trash")] == [search]
    assert terminal.ask("restore", search)["deleted_at"] is None


def test_a_limit_that_does_not_exist_cannot_be_lifted(terminal: Terminal) -> None:
    (fault,) = terminal.ask("project", "quota", "default", "--lift", "trial", expect=2)["error"]["errors"]
    assert fault["nearest"] == "trials"


def test_an_address_that_is_none_is_a_usage_error(terminal: Terminal) -> None:
    assert terminal.ask("searches", "--url", "nonsense", expect=2)["error"]["code"] == "invalid_spec"


def test_a_server_that_is_not_there_is_told_in_a_sentence(terminal: Terminal) -> None:
    assert terminal.ask("searches", "--url", "http://127.0.0.1:9", expect=1)["error"]["code"] == "transient_error"
