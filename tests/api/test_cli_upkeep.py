"""Backup, restore and prune from the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from api.cli import main
from api.installation import Installation
from storage.artifacts import DirectoryWorkspace


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return int(caught.value.code or 0)


def test_a_backup_is_restored_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    assert isinstance(Installation(data).workspace, DirectoryWorkspace)
    digest = Installation(data).workspace.artifacts.put(b"weights")
    assert run("backup", str(tmp_path / "backup"), "--data", str(data), "--json") == 0
    assert json.loads(capsys.readouterr().out)["files"] == 1
    again = tmp_path / "again"
    assert run("restore-backup", str(tmp_path / "backup"), "--data", str(again)) == 0
    assert "blocksmith up" in capsys.readouterr().out
    assert Installation(again).workspace.artifacts.get(digest) == b"weights"
    assert run("searches", "--data", str(again)) == 0


def test_a_data_directory_in_use_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    assert run("backup", str(tmp_path / "backup"), "--data", str(data)) == 0
    assert run("restore-backup", str(tmp_path / "backup"), "--data", str(data)) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_a_folder_that_is_no_backup_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("restore-backup", str(tmp_path), "--data", str(tmp_path / "data")) == 2
    assert "no backup" in capsys.readouterr().err


def test_pruning_in_a_dry_run_only_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = Installation(tmp_path).workspace
    digest = workspace.artifacts.put(b"nobody refers to me")
    for file in (tmp_path / "artifacts").rglob("*"):
        os.utime(file, (0, 0))
    assert run("prune", "--dry-run", "--data", str(tmp_path), "--json") == 0
    assert json.loads(capsys.readouterr().out)["artifacts"] == 1
    assert workspace.artifacts.get(digest)
    assert run("prune", "--data", str(tmp_path)) == 0
    assert "Deleted 0 searches, 0 exports, 1 artifacts" in capsys.readouterr().out
    assert digest not in workspace.artifacts
