"""Restores pictures of any size with the network in this folder.

    python restore.py PICTURE --to OUT

Needs onnxruntime, numpy and Pillow, and nothing else: this file travels with every exported network. Large pictures
are restored tile by tile and overlaps are blended; beside the result, one row of tiles is held in memory.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

Reals = npt.NDArray[np.float32]
Whole = npt.NDArray[Any]
"""All pixels of a result, 8 or 16 bits."""
Run = Callable[[Reals, Reals], Reals]
"""`(enlarged tile 1 x 3 x T x T in [-1, 1], noise 1 x C x t x t)` to the restored tile."""

SETTINGS_FILE, GRAPH_FILE = "restoration.json", "restorer.onnx"
LARGEST_PIXELS = 2**28
"""Of the result: 268 megapixels, what a picture of 16 megapixels becomes at four times its edges."""
DEEP_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N")
LAST_OF_16_BITS = 65535


class Unrestorable(Exception):
    """A picture that cannot be restored; the message is for its owner."""


@dataclass(frozen=True)
class Restoration:
    """What a network was made for.

    Attributes:
        scale: How many times larger the result's edges are.
        tile: Edge of a tile of the result in pixels, a multiple of the scale.
        overlap: Pixels that neighbours share, a multiple of the scale.
        factor: Pixels per latent pixel.
        channels: Of the latent.
        seed: Of the noise; the same picture is restored alike every time.
    """

    scale: int
    tile: int
    overlap: int
    factor: int
    channels: int
    seed: int = 0


@dataclass(frozen=True)
class Layers:
    """A picture of any mode as what is restored and what is carried along.

    Attributes:
        colours: Three equal-sized layers from 0 to 1; a grey picture's are all the same.
        alpha: Opacity from 0 to 1, or None.
        is_grey: Whether the result has one colour.
        is_deep: Whether the result has 16 bits.
    """

    colours: tuple[Image.Image, Image.Image, Image.Image]
    alpha: Image.Image | None
    is_grey: bool
    is_deep: bool


def restore(
    picture: Image.Image, run: Run, how: Restoration, on_progress: Callable[[int, int], None] | None = None
) -> Image.Image:
    """Restore a picture; its mode stays as near as the file format of its kind allows.

    Args:
        picture: Grey, colour, palette or CMYK, with or without opacity; 16 bits where it is grey.
        run: Restores one tile.
        how: What the network was made for.
        on_progress: Called with `(tiles done, tiles)`.

    Returns:
        Grey stays grey, 16 bits stay 16, opacity is enlarged beside the colours, all else becomes RGB.

    Raises:
        Unrestorable: If it is empty, animated, too large or of a mode without a known range.
    """
    layers = opened(picture, how)
    return _joined(_restored(layers, run, how, on_progress or (lambda *_: None)), layers, how)


def opened(picture: Image.Image, how: Restoration) -> Layers:
    """Layers of a picture, upright."""
    frames = getattr(picture, "n_frames", 1)
    if frames > 1:
        raise Unrestorable(f"It has {frames} frames. Give one picture.")
    pixels = picture.width * picture.height * how.scale**2
    if not pixels:
        raise Unrestorable("It has no pixels.")
    if pixels > LARGEST_PIXELS:
        raise Unrestorable(
            f"{picture.width} x {picture.height} pixels would become {pixels / 1e6:.0f} megapixels, "
            f"{LARGEST_PIXELS / 1e6:.0f} are the most. Cut it into parts."
        )
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in DEEP_MODES:
        deep = np.asarray(picture)
        if deep.min() < 0 or deep.max() > LAST_OF_16_BITS:
            raise Unrestorable("Its numbers do not fit into 16 bits. Store it with 8 or 16 bits.")
        grey = Image.fromarray(deep.astype(np.float32) / LAST_OF_16_BITS)
        return Layers((grey, grey, grey), None, is_grey=True, is_deep=True)
    if picture.mode.startswith("F"):
        raise Unrestorable("Its numbers are floating-point, of no known range. Store it with 8 or 16 bits.")
    has_alpha = picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info
    is_grey = picture.mode in ("1", "L", "LA", "La")
    plain = picture.convert("RGBA" if has_alpha else "RGB")
    bands = [Image.fromarray(np.asarray(band, np.float32) / 255.0) for band in plain.split()]
    return Layers((bands[0], bands[1], bands[2]), bands[3] if has_alpha else None, is_grey, is_deep=False)


def _restored(layers: Layers, run: Run, how: Restoration, on_progress: Callable[[int, int], None]) -> Whole:
    """The colours, `H x W x 3` or `H x W x 1`, tile by tile and row by row."""
    width, height = layers.colours[0].size
    padded = tuple(_at_least(colour, how.tile // how.scale) for colour in layers.colours)
    wide, high = (edge * how.scale for edge in padded[0].size)
    rows, columns = _starts(high, how), _starts(wide, how)
    levels, kind = (LAST_OF_16_BITS, np.uint16) if layers.is_deep else (255.0, np.uint8)
    result = np.empty((high, wide, 1 if layers.is_grey else 3), kind)
    weight, field = _weight(how), noise_field(how)
    total, mass = np.zeros((how.tile, wide, 3), np.float32), np.zeros((how.tile, wide, 1), np.float32)
    for index, top in enumerate(rows):
        for number, left in enumerate(columns):
            tile = run(_enlarged(padded, left, top, how), _noise(field, top, left, how))
            place = slice(left, left + how.tile)
            total[:, place] += weight * np.clip(np.moveaxis(tile[0], 0, -1) * 0.5 + 0.5, 0.0, 1.0)
            mass[:, place] += weight
            on_progress(index * len(columns) + number + 1, len(rows) * len(columns))
        done = (rows[index + 1] if index + 1 < len(rows) else high) - top
        blended = total[:done] / mass[:done]
        result[top : top + done] = np.rint(
            levels * (blended.mean(axis=2, keepdims=True) if layers.is_grey else blended)
        )
        total, mass = _moved(total, done), _moved(mass, done)
    return result[: height * how.scale, : width * how.scale]


def _joined(colours: Whole, layers: Layers, how: Restoration) -> Image.Image:
    """Layers as a picture again."""
    if layers.is_deep:
        return Image.fromarray(colours[:, :, 0])
    bands = [Image.fromarray(colours[:, :, band]) for band in range(colours.shape[2])]
    if layers.alpha is not None:
        size = (layers.alpha.width * how.scale, layers.alpha.height * how.scale)
        opacity = np.clip(np.asarray(layers.alpha.resize(size, Image.Resampling.BICUBIC)), 0.0, 1.0)
        bands.append(Image.fromarray(np.rint(opacity * 255.0).astype(np.uint8)))
    return Image.merge({1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[len(bands)], bands)


def _at_least(layer: Image.Image, edge: int) -> Image.Image:
    """A layer that fills a tile, by its own border repeated."""
    right, below = max(0, edge - layer.width), max(0, edge - layer.height)
    if not right and not below:
        return layer
    return Image.fromarray(np.pad(np.asarray(layer), ((0, below), (0, right)), mode="edge"))


def _starts(length: int, how: Restoration) -> list[int]:
    """Where tiles begin along an edge; the last one ends where the picture does."""
    inner = range(0, max(1, length - how.tile), how.tile - how.overlap)
    return sorted({*inner, length - how.tile} if length > how.tile else {0})


def _enlarged(colours: tuple[Image.Image, ...], left: int, top: int, how: Restoration) -> Reals:
    """One tile of the bicubically enlarged picture; the filter sees beyond the box, so tiles join without a seam."""
    right, below = left + how.tile, top + how.tile
    box = (left / how.scale, top / how.scale, right / how.scale, below / how.scale)
    size = (how.tile, how.tile)
    parts = [np.asarray(colour.resize(size, Image.Resampling.BICUBIC, box=box)) for colour in colours]
    return np.asarray(np.clip(np.stack(parts)[None], 0.0, 1.0) * 2.0 - 1.0, np.float32)


def _weight(how: Restoration) -> Reals:
    """How much a tile counts at each of its pixels: less and less towards its edges."""
    ramp = np.minimum(1.0, (np.arange(how.tile, dtype=np.float32) + 0.5) / max(1, how.overlap))
    line = np.minimum(ramp, ramp[::-1])
    return np.asarray(np.outer(line, line)[:, :, None], np.float32)


def noise_field(how: Restoration) -> Reals:
    """Noise that repeats: where tiles overlap they are given the same."""
    edge = how.tile // how.factor
    return np.random.default_rng(how.seed).standard_normal((how.channels, edge, edge), dtype=np.float32)


def _noise(field: Reals, top: int, left: int, how: Restoration) -> Reals:
    edge = how.tile // how.factor
    rows, columns = (np.arange(start // how.factor, start // how.factor + edge) % edge for start in (top, left))
    return np.ascontiguousarray(field[:, rows[:, None], columns[None, :]][None])


def _moved(rows: Reals, by: int) -> Reals:
    moved = np.zeros_like(rows)
    moved[: len(rows) - by] = rows[by:]
    return moved


def load(folder: Path) -> tuple[Run, Restoration]:
    """The exported network of a folder.

    Raises:
        Unrestorable: If the folder is not one of them.
    """
    import onnxruntime

    try:
        how = Restoration(**json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8")))
        session = onnxruntime.InferenceSession(str(folder / GRAPH_FILE), providers=["CPUExecutionProvider"])
    except (OSError, ValueError, TypeError) as error:
        raise Unrestorable(f"There is no restorer in {folder}: {error}") from None

    asked = {taken.name for taken in session.get_inputs()}  # without noise if the network begins with none

    def run(tile: Reals, noise: Reals) -> Reals:
        given = {"enlarged": tile, "noise": noise}
        return np.asarray(session.run(None, {name: given[name] for name in given if name in asked})[0], np.float32)

    return run, how


def settings_json(how: Restoration) -> str:
    """What `load` reads."""
    return json.dumps(asdict(how), indent=2) + "\n"


def read(file: Path) -> Image.Image:
    """A picture from a file.

    Raises:
        Unrestorable: If it cannot be read.
    """
    try:
        picture = Image.open(file)
        picture.load()
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise Unrestorable(f"{file} cannot be read as a picture: {error}") from None
    return picture


def main() -> int:
    """Restore one file from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--to", type=Path, required=True, help="file to write; its suffix names the format")
    parser.add_argument("--model", type=Path, default=Path(__file__).parent, help="folder of the network")
    arguments = parser.parse_args()
    try:
        run, how = load(arguments.model)
        restore(read(arguments.picture), run, how, _tell).save(arguments.to)
    except (Unrestorable, OSError, ValueError) as error:
        sys.stderr.write(f"\n{error}\n")
        return 2
    sys.stderr.write("\n")
    return 0


def _tell(done: int, tiles: int) -> None:
    sys.stderr.write(f"\r{done} of {tiles} tiles")


if __name__ == "__main__":
    sys.exit(main())
