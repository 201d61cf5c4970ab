"""Zips of exports, honest and hostile."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from api import unpacking
from api.unpacking import unpack_export
from nas.errors import Conflict, CorruptArtifact


def a_zip(tmp_path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members:
            opened.writestr(name, content)
    return archive


def an_honest_zip(tmp_path: Path) -> Path:
    return a_zip(tmp_path, ("report.json", b"{}"), ("unet/config.json", b"{}"))


def a_link(name: str) -> zipfile.ZipInfo:
    link = zipfile.ZipInfo(name)
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return link


def test_an_honest_export_is_unpacked_whole(tmp_path: Path) -> None:
    unpack_export(an_honest_zip(tmp_path), tmp_path / "winner")
    assert (tmp_path / "winner" / "unet" / "config.json").read_bytes() == b"{}"


def test_an_earlier_export_is_replaced_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "winner"
    unpack_export(an_honest_zip(tmp_path), folder)
    (folder / "left-over").write_text("")
    unpack_export(an_honest_zip(tmp_path), folder)
    assert not (folder / "left-over").exists()


def test_somebodys_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "winner").mkdir()
    (tmp_path / "winner" / "thesis.tex").write_text("")
    with pytest.raises(Conflict):
        unpack_export(an_honest_zip(tmp_path), tmp_path / "winner")
    assert (tmp_path / "winner" / "thesis.tex").exists()


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/outside", "a/../../outside", "..\\outside", "C:/outside", a_link("outside")],
    ids=str,
)
def test_nothing_leaves_the_folder(tmp_path: Path, name: str | zipfile.ZipInfo) -> None:
    archive = a_zip(tmp_path, ("report.json", b"{}"), (name, b"content"))
    before = set(tmp_path.rglob("*"))
    with pytest.raises(CorruptArtifact, match="does not belong"):
        unpack_export(archive, tmp_path / "winner")
    assert set(tmp_path.rglob("*")) == before


def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "SMALL_BYTES", 10_000)
    archive = a_zip(tmp_path, ("report.json", b"0" * 10_000_000))
    with pytest.raises(CorruptArtifact, match="far more"):
        unpack_export(archive, tmp_path / "winner")
    assert not (tmp_path / "winner").exists()


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_FILES", 1)
    with pytest.raises(CorruptArtifact, match="files"):
        unpack_export(an_honest_zip(tmp_path), tmp_path / "winner")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"no zip at all"])
def test_what_is_no_zip_is_told_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "export.zip").write_bytes(content)
    with pytest.raises(CorruptArtifact, match="no readable zip"):
        unpack_export(tmp_path / "export.zip", tmp_path / "winner")


def test_a_damaged_member_is_found(tmp_path: Path) -> None:
    archive = an_honest_zip(tmp_path)
    content = bytearray(archive.read_bytes())
    content[40] ^= 0xFF
    archive.write_bytes(bytes(content))
    with pytest.raises(CorruptArtifact):
        unpack_export(archive, tmp_path / "winner")
    assert not (tmp_path / "winner").exists()
