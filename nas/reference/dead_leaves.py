"""Dead-leaves pictures: opaque textured shapes with power-law sizes that hide one another.

The model reproduces edges, scale invariance and heavy-tailed statistics of natural images (Lee, Mumford & Huang,
IJCV 2001), and restoration networks trained on it alone come close to those trained on photographs (Achddou,
Gousseau & Ladjal, SSVM 2021). Colours and some textures are taken from photographs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nas.reference.pictures import Picture, PixelArray

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LeafLaw:
    """How leaves are drawn; lengths in pixels of the finished picture.

    Attributes:
        smallest_radius: Lowest lower cut of the power law; each picture draws its own cut, up to 8 times this.
        largest_radius: Upper cut of the power law.
        exponent: `p(r) ~ r ** -exponent`; 3 gives scale invariance.
        layers: Mean number of leaves over each pixel; what stays bare shows the background.
        textured_share: Share of leaves that carry a piece of a photograph instead of one colour.
        oversampling: Leaves are painted that much larger and averaged down, which smooths their edges.
    """

    smallest_radius: float = 1.5
    largest_radius: float = 90.0
    exponent: float = 3.0
    layers: float = 2.5
    textured_share: float = 0.45
    oversampling: int = 2


def draw_radii(rng: np.random.Generator, count: int, law: LeafLaw) -> npt.NDArray[np.float64]:
    """Draw radii from the truncated power law by inverting its distribution function."""
    power = 1.0 - law.exponent
    low, high = law.smallest_radius**power, law.largest_radius**power
    return np.asarray((low + rng.random(count) * (high - low)) ** (1.0 / power))


def leaf_count(size: int, law: LeafLaw) -> int:
    """Return how many leaves cover `size x size` pixels `law.layers` times on average."""
    fine = np.geomspace(law.smallest_radius, law.largest_radius, 512)
    density = fine**-law.exponent
    mean_area = np.pi * np.trapezoid(fine**2 * density, fine) / np.trapezoid(density, fine)
    return int(law.layers * (size + law.largest_radius) ** 2 / mean_area)


def dead_leaves(
    rng: np.random.Generator, size: int, photographs: Sequence[Picture], law: LeafLaw | None = None
) -> PixelArray:
    """Paint one picture, back to front.

    Args:
        rng: Decides everything; the same state paints the same picture.
        size: Edge in pixels.
        photographs: Source of colours and textures; two of them, drawn at random, serve one picture.
        law: Sizes and shares of the leaves.

    Returns:
        `size x size x 3`, 0 to 255.
    """
    law = law or LeafLaw()
    law = replace(law, smallest_radius=law.smallest_radius * 8.0 ** rng.random())
    photographs = [photographs[int(choice)] for choice in rng.integers(len(photographs), size=2)]
    factor = law.oversampling
    edge = size * factor
    canvas = np.empty((edge, edge, 3), dtype=np.float32)
    canvas[:] = _colour(rng, photographs)
    radii = draw_radii(rng, leaf_count(size, law), law) * factor
    margin = min(law.largest_radius * factor, edge) / 2
    centres = rng.uniform(-margin, edge + margin, size=(len(radii), 2))
    for radius, (row, column) in zip(radii, centres, strict=True):
        top, bottom = max(0, int(row - radius)), min(edge, int(row + radius) + 2)
        left, right = max(0, int(column - radius)), min(edge, int(column + radius) + 2)
        if top >= bottom or left >= right:
            continue
        down = (np.arange(top, bottom, dtype=np.float32) - np.float32(row))[:, None] / np.float32(radius)
        across = (np.arange(left, right, dtype=np.float32) - np.float32(column))[None, :] / np.float32(radius)
        mask = _shape(rng, down, across)
        paint = _paint(rng, photographs, down, across, law)
        window = canvas[top:bottom, left:right]
        np.copyto(window, paint, where=mask[:, :, None])
    small = canvas.reshape(size, factor, size, factor, 3).mean(axis=(1, 3))
    return np.asarray(np.clip(small + 0.5, 0, 255), dtype=np.uint8)


def dead_leaves_pictures(
    seed: int, count: int, size: int, photographs: Sequence[Picture], law: LeafLaw | None = None
) -> list[Picture]:
    """Paint `count` pictures; picture number i depends on the seed and i only."""
    return [
        Picture(f"dead-leaves-{index}", dead_leaves(np.random.default_rng((seed, index)), size, photographs, law))
        for index in range(count)
    ]


def _shape(rng: np.random.Generator, down: FloatArray, across: FloatArray) -> npt.NDArray[np.bool_]:
    """Choose a disk, an ellipse or a rectangle inside the unit disk, turned at random."""
    kind = rng.random()
    if kind < 0.4:
        return np.asarray(down**2 + across**2 <= 1.0)
    turn = rng.uniform(0.0, np.pi)
    aspect = rng.uniform(0.15, 1.0)
    along = np.cos(turn) * down + np.sin(turn) * across
    over = (np.cos(turn) * across - np.sin(turn) * down) / aspect
    if kind < 0.7:
        return np.asarray(along**2 + over**2 <= 1.0)
    half = (1.0 + aspect**2) ** -0.5
    return np.asarray((np.abs(along) <= half) & (np.abs(over) <= half))


def _paint(
    rng: np.random.Generator, photographs: Sequence[Picture], down: FloatArray, across: FloatArray, law: LeafLaw
) -> FloatArray:
    """Return the inside of one leaf, broadcastable to `h x w x 3`: plain, shaded, or a piece of a photograph."""
    kind = rng.random()
    colour = _colour(rng, photographs)
    if kind < law.textured_share:
        return _photograph_piece(rng, photographs, down.shape[0], across.shape[1], colour)
    if kind < law.textured_share + 0.2:
        slope = rng.normal(0.0, 0.15, size=2).astype(np.float32)
        return np.asarray(colour * (1.0 + slope[0] * down + slope[1] * across)[:, :, None], dtype=np.float32)
    if kind < law.textured_share + 0.3:
        frequency = rng.uniform(1.0, 12.0, size=2).astype(np.float32) * rng.choice((-1.0, 1.0), size=2)
        wave = np.sin(frequency[0] * down + frequency[1] * across + rng.uniform(0.0, 6.3))
        return np.asarray(colour + rng.uniform(3.0, 40.0) * wave[:, :, None], dtype=np.float32)
    return colour


def _photograph_piece(
    rng: np.random.Generator, photographs: Sequence[Picture], height: int, width: int, colour: FloatArray
) -> FloatArray:
    """Cut a piece out of a photograph, sometimes moved to the leaf's own mean colour."""
    pixels = photographs[int(rng.integers(len(photographs)))].pixels
    missing = (max(0, height - pixels.shape[0]), max(0, width - pixels.shape[1]))
    if any(missing):
        pixels = np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="wrap")
    top = int(rng.integers(pixels.shape[0] - height + 1))
    left = int(rng.integers(pixels.shape[1] - width + 1))
    piece = pixels[top : top + height, left : left + width].astype(np.float32)
    if rng.random() < 0.5:
        piece = colour + rng.uniform(0.3, 1.5) * (piece - piece.mean(axis=(0, 1)))
    return np.asarray(piece, dtype=np.float32)


def _colour(rng: np.random.Generator, photographs: Sequence[Picture]) -> FloatArray:
    """Pick the colour of a random pixel of a random photograph."""
    pixels = photographs[int(rng.integers(len(photographs)))].pixels
    row, column = int(rng.integers(pixels.shape[0])), int(rng.integers(pixels.shape[1]))
    return np.asarray(pixels[row, column], dtype=np.float32)
