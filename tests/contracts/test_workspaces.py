"""What every place of artifacts and results promises: a folder, and whatever fsspec reaches."""

from __future__ import annotations

import hashlib
import pickle
import time
import uuid
from pathlib import Path

import fsspec
import pytest

from nas.errors import CorruptArtifact, MissingExtra, NotFound, SpecError, TransientError
from storage.artifacts import DirectoryWorkspace
from storage.remote_artifacts import RemoteWorkspace
from storage.seals import fanned_out
from storage.workspaces import AnyWorkspace, open_workspace

KEY = "c" * 64
HOSTILE = ["", "../../etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n", "/" + "a" * 63, "ａ" * 64]


@pytest.fixture(params=["folder", "memory", "file"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> AnyWorkspace:
    if request.param == "folder":
        return open_workspace(tmp_path / "data")
    url = f"memory://{uuid.uuid4().hex}" if request.param == "memory" else f"file://{tmp_path}/bucket"
    return RemoteWorkspace(tmp_path / "data", url)


def overwrite(workspace: AnyWorkspace, name: str, content: bytes) -> None:
    """Change a stored file behind the store's back."""
    url = workspace.url if isinstance(workspace, RemoteWorkspace) else f"file://{workspace.kept}"
    system, root = fsspec.core.url_to_fs(url)
    system.pipe_file(f"{root}/{name}", content)


def test_an_artifact_is_found_by_the_digest_of_its_bytes(workspace: AnyWorkspace) -> None:
    artifacts = workspace.artifacts
    digest = artifacts.put(b"weights")
    assert digest == artifacts.put(b"weights") == hashlib.sha256(b"weights").hexdigest()
    assert artifacts.get(digest) == b"weights"
    assert digest in artifacts
    assert artifacts.size(digest) == 7
    with artifacts.open(digest) as file:
        assert file.seek(3) == 3
        assert file.read() == b"ghts"
    assert [(file.name, file.size_bytes) for file in artifacts.stored()] == [(digest, 7)]


def test_an_absent_artifact_is_not_found(workspace: AnyWorkspace) -> None:
    artifacts = workspace.artifacts
    assert KEY not in artifacts
    assert None not in artifacts
    for ask in (artifacts.get, artifacts.open, artifacts.size):
        with pytest.raises(NotFound):
            ask(KEY)
    artifacts.remove(KEY)
    assert list(artifacts.stored()) == []


def test_a_removed_artifact_is_gone(workspace: AnyWorkspace) -> None:
    digest = workspace.artifacts.put(b"weights")
    workspace.artifacts.remove(digest)
    assert digest not in workspace.artifacts


def test_storing_again_makes_an_artifact_young(workspace: AnyWorkspace) -> None:
    digest = workspace.artifacts.put(b"weights")
    (before,) = workspace.artifacts.stored()
    assert abs(before.modified_at - time.time()) < 60
    workspace.artifacts.put(b"weights")
    (after,) = workspace.artifacts.stored()
    assert after.name == digest
    assert after.modified_at > before.modified_at


@pytest.mark.parametrize("damage", [b"weighty", b"", b"weights and more"])
def test_a_damaged_artifact_is_set_aside_and_can_be_made_again(workspace: AnyWorkspace, damage: bytes) -> None:
    digest = workspace.artifacts.put(b"weights")
    overwrite(workspace, f"artifacts/{fanned_out(digest)}", damage)
    with pytest.raises(CorruptArtifact, match=digest):
        workspace.artifacts.get(digest)
    assert digest not in workspace.artifacts
    (leftover,) = workspace.leftovers()
    assert leftover.size_bytes == len(damage)
    workspace.remove_leftover(leftover.name)
    assert list(workspace.leftovers()) == []
    workspace.artifacts.put(b"weights")
    assert workspace.artifacts.get(digest) == b"weights"


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leaves_the_place(workspace: AnyWorkspace, name: str) -> None:
    artifacts, journal = workspace.artifacts, workspace.journal
    assert name not in artifacts
    touches = (artifacts.get, artifacts.open, artifacts.size, artifacts.remove, journal.recall)
    for touch in (*touches, lambda key: journal.record(key, "{}")):
        with pytest.raises(NotFound, match="hexadecimal"):
            touch(name)


def test_the_first_result_of_a_key_wins(workspace: AnyWorkspace) -> None:
    journal = workspace.journal
    assert journal.recall(KEY) is None
    journal.record(KEY, '{"first": 1, "text": "ε"}')
    journal.record(KEY, '{"second": 2}')
    assert journal.recall(KEY) == '{"first": 1, "text": "ε"}'


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"result": 1, "sha256": "x"}', b"\xff\x00"])
def test_a_damaged_result_counts_as_none_and_can_be_made_again(workspace: AnyWorkspace, damage: bytes) -> None:
    workspace.journal.record(KEY, '{"loss": 0.125}')
    overwrite(workspace, f"journal/{fanned_out(KEY)}.json", damage)
    assert workspace.journal.recall(KEY) is None
    workspace.journal.record(KEY, '{"loss": 0.5}')
    assert workspace.journal.recall(KEY) == '{"loss": 0.5}'


def test_a_workspace_travels_to_a_worker(workspace: AnyWorkspace) -> None:
    digest = workspace.artifacts.put(b"weights")
    pickled = pickle.dumps(workspace)
    assert len(pickled) < 1000
    arrived = pickle.loads(pickled)
    assert arrived.artifacts.get(digest) == b"weights"
    arrived.journal.record(KEY, "{}")
    assert workspace.journal.recall(KEY) == "{}"
    assert arrived.features.is_dir()
    assert arrived.scratch.is_dir()


def test_a_folder_shared_by_machines_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "shared place").mkdir()
    for address in (f"{tmp_path}/shared place", f"file://{tmp_path}/shared%20place"):
        workspace = open_workspace(tmp_path / "data", address)
        assert isinstance(workspace, DirectoryWorkspace)
        digest = workspace.artifacts.put(b"weights")
        assert (tmp_path / "shared place" / "artifacts" / fanned_out(digest)).exists()
        assert workspace.features == tmp_path / "data" / "features"


def test_a_place_that_nobody_knows_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="/artifacts"):
        open_workspace(tmp_path, "nonsense://bucket").artifacts.put(b"weights")


def test_a_place_whose_package_is_missing_names_it(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match="gcsfs"):
        open_workspace(tmp_path, "gs://bucket").artifacts.put(b"weights")


def test_a_place_that_refuses_is_transient(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    workspace = RemoteWorkspace(tmp_path / "data", f"file://{tmp_path}/file")
    with pytest.raises(TransientError):
        workspace.artifacts.put(b"weights")
    with pytest.raises(TransientError):
        workspace.journal.record(KEY, "{}")
