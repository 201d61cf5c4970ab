"""Pictures of any size and mode, tile by tile without a seam, or a clear sentence."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.adaptation.restoration import standalone
from nas.adaptation.restoration.standalone import Reals, Restoration, Unrestorable, noise_field, read, restore

HOW = Restoration(scale=4, tile=64, overlap=16, factor=4, channels=3)
RNG = np.random.default_rng(0)


def leave(tile: Reals, noise: Reals) -> Reals:
    assert (tile.shape, noise.shape) == ((1, 3, 64, 64), (1, 3, 16, 16))
    return tile


def picture(width: int, height: int, mode: str) -> Image.Image:
    if mode in ("I;16", "I"):
        deep = Image.fromarray(RNG.integers(0, 65536, (height, width), dtype=np.uint16))
        return deep.convert("I") if mode == "I" else deep
    if mode == "RGBA":
        return Image.fromarray(RNG.integers(0, 256, (height, width, 4), dtype=np.uint8))
    return Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(mode)


@pytest.mark.parametrize("size", [(1, 1), (5, 70), (16, 16), (33, 21)])
@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("1", "L"),
        ("L", "L"),
        ("LA", "LA"),
        ("P", "RGB"),
        ("RGB", "RGB"),
        ("RGBA", "RGBA"),
        ("CMYK", "RGB"),
        ("YCbCr", "RGB"),
        ("I;16", "I;16"),
        ("I", "I;16"),
    ],
)
def test_any_size_and_mode_is_enlarged(size: tuple[int, int], mode: str, expected: str) -> None:
    restored = restore(picture(*size, mode), leave, HOW)
    assert restored.size == (4 * size[0], 4 * size[1])
    assert restored.mode == expected
    if expected != "I;16":
        restored.save(io.BytesIO(), "PNG")


@pytest.mark.parametrize(("width", "height"), [(16, 16), (17, 16), (28, 41), (100, 19)])
def test_tiles_join_without_a_seam(width: int, height: int) -> None:
    given = picture(width, height, "RGB")
    bands = [Image.fromarray(np.asarray(band, np.float32)) for band in given.split()]
    whole = [np.asarray(band.resize((4 * width, 4 * height), Image.Resampling.BICUBIC)) for band in bands]
    expected = np.clip(np.stack(whole, axis=2), 0, 255)
    found = np.asarray(restore(given, leave, HOW)).astype(np.float32)
    assert np.abs(found - expected).max() <= 0.51


def test_where_tiles_overlap_they_are_given_the_same_noise() -> None:
    seen: dict[tuple[int, int], Reals] = {}
    places = iter([(0, 0), (0, 48), (0, 64), (48, 0), (48, 48), (48, 64), (64, 0), (64, 48), (64, 64)])

    def keep(tile: Reals, noise: Reals) -> Reals:
        seen[next(places)] = noise[0]
        return tile

    restore(picture(32, 32, "RGB"), keep, HOW)
    assert np.array_equal(seen[0, 0], noise_field(HOW))
    assert np.array_equal(seen[0, 0][:, :, 12:], seen[0, 48][:, :, :4])
    assert np.array_equal(seen[0, 48][:, 12:], seen[48, 48][:, :4])


def test_a_tile_counts_less_towards_its_edges_and_differing_tiles_fade_into_each_other() -> None:
    light = iter(np.linspace(-1.0, 1.0, 2))

    def plain(tile: Reals, noise: Reals) -> Reals:
        return np.full_like(tile, next(light))

    row = np.asarray(restore(picture(28, 16, "L"), plain, HOW))[32].astype(int)  # two tiles share 16 columns
    assert (row[:48] == 0).all()
    assert (row[64:] == 255).all()
    assert (np.diff(row[47:65]) > 0).all()


def test_sixteen_bits_stay_sixteen_bits() -> None:
    deep = Image.fromarray(np.full((20, 20), 12_345, np.uint16))
    found = np.asarray(restore(deep, leave, HOW))
    assert np.abs(found.astype(int) - 12_345).max() <= 1


def test_opacity_is_enlarged_beside_the_colours() -> None:
    given = picture(20, 20, "RGB")
    given.putalpha(Image.fromarray(np.full((20, 20), 93, np.uint8)))
    assert set(np.unique(np.asarray(restore(given, leave, HOW))[:, :, 3])) == {93}


def test_a_turned_photograph_is_restored_upright() -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(30, 20, "RGB").save(buffer, "JPEG", exif=exif)
    assert restore(Image.open(buffer), leave, HOW).size == (80, 120)


def test_progress_is_told_tile_by_tile() -> None:
    told: list[tuple[int, int]] = []
    restore(picture(28, 28, "RGB"), leave, HOW, lambda done, tiles: told.append((done, tiles)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_what_cannot_be_restored_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unrestorable, match="no known range"):
        restore(Image.fromarray(np.zeros((4, 4), np.float32)), leave, HOW)
    with pytest.raises(Unrestorable, match="16 bits"):
        restore(Image.fromarray(np.full((4, 4), 70_000, np.int32)), leave, HOW)
    with pytest.raises(Unrestorable, match="no pixels"):
        restore(Image.new("RGB", (0, 4)), leave, HOW)
    monkeypatch.setattr(standalone, "LARGEST_PIXELS", 1000)
    with pytest.raises(Unrestorable, match=r"100 x 100 pixels would become .* megapixels"):
        restore(Image.new("RGB", (100, 100)), leave, HOW)
    frames = tmp_path / "many.gif"
    Image.new("L", (4, 4)).save(frames, save_all=True, append_images=[Image.new("L", (4, 4), 9)])
    with Image.open(frames) as animated, pytest.raises(Unrestorable, match="2 frames"):
        restore(animated, leave, HOW)
    (tmp_path / "no.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    for name in ("no.png", "missing.png"):
        with pytest.raises(Unrestorable, match="cannot be read"):
            read(tmp_path / name)
    with pytest.raises(Unrestorable, match="no restorer"):
        standalone.load(tmp_path)
