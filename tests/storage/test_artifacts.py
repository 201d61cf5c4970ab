"""A folder that workers share: whole files or none, whoever is killed and whatever the disk does.

What every workspace promises is tested in `tests/contracts`.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import TransientError
from storage.artifacts import DirectoryArtifacts, DirectoryJournal, DirectoryWorkspace
from tests.storage import processes

KEY = "c" * 64


@pytest.fixture
def artifacts(tmp_path: Path) -> DirectoryArtifacts:
    return DirectoryArtifacts(tmp_path / "artifacts")


@pytest.fixture
def journal(tmp_path: Path) -> DirectoryJournal:
    return DirectoryJournal(tmp_path / "journal")


def files_under(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@contextmanager
def no_file_larger_than(size_bytes: int) -> Iterator[None]:
    """The kernel refuses to let any file grow further, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_artifact_is_found_by_the_digest_of_its_bytes(artifacts: DirectoryArtifacts) -> None:
    digest = artifacts.put(b"weights")
    assert digest == hashlib.sha256(b"weights").hexdigest()
    assert artifacts.get(digest) == b"weights"
    assert digest in artifacts
    assert artifacts.path(digest) == artifacts.root / digest[:2] / digest[2:4] / digest


def test_the_same_bytes_are_stored_once(artifacts: DirectoryArtifacts) -> None:
    digest = artifacts.put(b"weights")
    written = artifacts.path(digest).stat()
    assert artifacts.put(b"weights") == digest
    assert artifacts.path(digest).stat().st_ino == written.st_ino
    assert files_under(artifacts.root) == [artifacts.path(digest)]


def test_a_truncated_artifact_is_healed_by_storing_it_again(artifacts: DirectoryArtifacts) -> None:
    digest = artifacts.put(b"weights")
    os.truncate(artifacts.path(digest), 3)
    artifacts.put(b"weights")
    assert artifacts.get(digest) == b"weights"


def test_a_full_disk_is_transient_and_leaves_no_half_file(
    artifacts: DirectoryArtifacts, journal: DirectoryJournal
) -> None:
    content = b"x" * 100_000
    with no_file_larger_than(4096):
        with pytest.raises(TransientError, match="cannot be written"):
            artifacts.put(content)
        with pytest.raises(TransientError, match="cannot be written"):
            journal.record(KEY, content.decode())
    assert files_under(artifacts.root) == files_under(journal.root) == []
    assert artifacts.get(artifacts.put(content)) == content
    assert journal.recall(KEY) is None


def test_an_unwritable_place_is_transient(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TransientError):
        DirectoryArtifacts(tmp_path / "file" / "artifacts").put(b"weights")
    with pytest.raises(TransientError):
        _ = DirectoryWorkspace(tmp_path / "file").scratch


@settings(max_examples=50)
@given(result=st.text())
def test_any_text_comes_back_from_the_journal(tmp_path_factory: pytest.TempPathFactory, result: str) -> None:
    journal = DirectoryJournal(tmp_path_factory.mktemp("journal"))
    if any(0xD800 <= ord(letter) <= 0xDFFF for letter in result):
        return  # lone surrogates are no text; no JSON document holds them
    journal.record(KEY, result)
    assert journal.recall(KEY) == result


@pytest.mark.parametrize("damage", ["empty", "no object", "no result", "torn", "of another key", "flipped"])
def test_a_damaged_result_counts_as_none_and_can_be_made_again(journal: DirectoryJournal, damage: str) -> None:
    journal.record(KEY, '{"loss": 0.125}')
    (entry,) = files_under(journal.root)
    whole, other = entry.read_text(), "d" * 64
    journal.record(other, '{"loss": 9}')
    damaged = {
        "empty": "",
        "no object": "[]",
        "no result": '{"result": 1, "sha256": "x"}',
        "torn": whole[:-7],
        "of another key": (journal.root / "dd" / "dd" / f"{other}.json").read_text(),
        "flipped": whole.replace("125", "126"),
    }
    entry.write_text(damaged[damage])
    assert journal.recall(KEY) is None
    journal.record(KEY, '{"loss": 0.5}')
    assert journal.recall(KEY) == '{"loss": 0.5}'


def test_all_writers_of_one_key_read_the_same_winner(tmp_path: Path) -> None:
    ends = [processes.fresh_processes.Pipe(duplex=False) for _ in range(6)]
    writers = [
        processes.fresh_processes.Process(
            target=processes.record_own_result, args=(tmp_path / "journal", KEY, f"result {number}", sender)
        )
        for number, (_, sender) in enumerate(ends)
    ]
    for writer in writers:
        writer.start()
    seen = {receiver.recv() for receiver, _ in ends if receiver.poll(60)}
    for writer in writers:
        writer.join(10)
    assert len(seen) == 1
    assert seen == {DirectoryJournal(tmp_path / "journal").recall(KEY)}


def test_a_killed_writer_leaves_nothing_that_reads_wrong(tmp_path: Path) -> None:
    receiver, sender = processes.fresh_processes.Pipe(duplex=False)
    writer = processes.fresh_processes.Process(target=processes.store_until_killed, args=(tmp_path, sender))
    writer.start()
    assert receiver.poll(60)
    told = [receiver.recv() for _ in range(5)]
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join(10)
    artifacts, journal = DirectoryArtifacts(tmp_path / "artifacts"), DirectoryJournal(tmp_path / "journal")
    for digest in told:
        assert hashlib.sha256(artifacts.get(digest)).hexdigest() == digest
        assert journal.recall(digest) == "r" * 200_000
    placed = [path for path in files_under(artifacts.root) if not path.name.startswith(".writing-")]
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in placed)


def test_a_workspace_travels_to_a_worker_and_points_at_the_same_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    workspace = DirectoryWorkspace("data")
    pickled = pickle.dumps(workspace)
    assert len(pickled) < 1000
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    arrived = pickle.loads(pickled)
    digest = arrived.artifacts.put(b"weights")
    arrived.journal.record(KEY, "{}")
    assert workspace.artifacts.get(digest) == b"weights"
    assert workspace.journal.recall(KEY) == "{}"
    assert arrived.features == tmp_path / "data" / "features"
    assert arrived.features.is_dir()
    assert arrived.scratch.is_dir()


def test_a_result_on_disk_is_plain_json_that_a_person_can_read(journal: DirectoryJournal) -> None:
    journal.record(KEY, '{"loss": 1.0}')
    (entry,) = files_under(journal.root)
    assert json.loads(entry.read_text())["result"] == '{"loss": 1.0}'
