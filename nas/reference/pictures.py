"""Colour pictures to train and to judge the reference teacher on, and random crops of them.

The photographs lie inside the scikit-image and scikit-learn packages, so nothing is downloaded. None of them is a
standard test image of super-resolution or denoising. A folder of the user's own pictures can take their place.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from nas.errors import NotFound

PixelArray = npt.NDArray[np.uint8]

TRAINING_PHOTOGRAPHS = (
    ("skimage", "data/astronaut.png"),
    ("skimage", "data/coffee.png"),
    ("skimage", "data/motorcycle_left.png"),
    ("skimage", "data/motorcycle_right.png"),
    ("skimage", "data/rocket.jpg"),
    ("skimage", "data/hubble_deep_field.jpg"),
    ("skimage", "data/retina.jpg"),
    ("skimage", "data/ihc.png"),
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
)
HELD_OUT_PHOTOGRAPH = ("skimage", "data/chelsea.png")
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
PYRAMID_SCALES = (1.0, 0.71, 0.5, 0.35, 0.25)
FLAT_DEVIATION = 14.0
FLAT_REDRAWN_SHARE = 0.75


@dataclass(frozen=True)
class Picture:
    """One colour picture.

    Attributes:
        name: File name without folder.
        pixels: `H x W x 3`, sRGB, 0 to 255.
    """

    name: str
    pixels: PixelArray


def read_picture(path: Path) -> Picture:
    """Read one file as 8-bit RGB."""
    with Image.open(path) as image:
        return Picture(path.stem, np.asarray(image.convert("RGB"), dtype=np.uint8))


def bundled_photographs() -> list[Picture]:
    """Return the training photographs that the installed packages carry.

    Raises:
        NotFound: When neither package carries one; point the training at a folder instead.
    """
    found = [path for package, inside in TRAINING_PHOTOGRAPHS if (path := _packaged(package, inside)).is_file()]
    if not found:
        raise NotFound("No bundled photograph was found.", "Install scikit-image, or pass a folder of pictures.")
    return [read_picture(path) for path in found]


def held_out_photograph() -> Picture:
    """Return the one bundled photograph that training never sees (a cat: fur, whiskers, soft background)."""
    return read_picture(_packaged(*HELD_OUT_PHOTOGRAPH))


def folder_pictures(folder: Path, limit: int | None = None) -> list[Picture]:
    """Read the pictures of a folder in the order of their names.

    Raises:
        NotFound: When the folder holds no picture; check the path.
    """
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not paths:
        raise NotFound(f"No picture in {folder}.", "Expected png, jpg, bmp, webp or tif files directly inside.")
    return [read_picture(path) for path in paths[:limit]]


def _packaged(package: str, inside: str) -> Path:
    """Locate a file of an installed package without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return Path(package) / inside
    return Path(spec.origin).parent / inside


class CropSampler:
    """Draws random square crops: picture, scale, place, flip, quarter turn, exposure.

    Every picture is scaled down once to a small pyramid, so that a crop costs a copy. All pictures are equally
    likely. A crop that is almost flat is usually drawn again: skies and dark backgrounds teach little.

    Args:
        pictures: Where the crops come from.
        largest_crop: Edge in pixels of the largest crop that will be asked for; smaller levels are left out.
        jitter: Vary exposure and colour balance a little.
    """

    def __init__(self, pictures: Sequence[Picture], largest_crop: int = 128, jitter: bool = True) -> None:
        self._jitter = jitter
        self._levels: list[list[PixelArray]] = []
        for picture in pictures:
            levels = pyramid(picture.pixels, largest_crop)
            if levels:
                self._levels.append(levels)
        if not self._levels:
            raise NotFound(f"No picture has both edges of {largest_crop} pixels or more.", "Use larger pictures.")

    def sample(self, rng: np.random.Generator, count: int, size: int) -> PixelArray:
        """Return `count x size x size x 3` crops; the same generator state gives the same crops."""
        crops = np.empty((count, size, size, 3), dtype=np.uint8)
        for index in range(count):
            crop = self._cut(rng, size)
            while crop[::2, ::2].std() < FLAT_DEVIATION and rng.random() < FLAT_REDRAWN_SHARE:
                crop = self._cut(rng, size)
            crop = np.rot90(crop, int(rng.integers(4)))
            if rng.random() < 0.5:
                crop = crop[:, ::-1]
            crops[index] = _expose(rng, crop) if self._jitter else crop
        return crops

    def _cut(self, rng: np.random.Generator, size: int) -> PixelArray:
        """Cut one square out of a random level of a random picture."""
        levels = self._levels[int(rng.integers(len(self._levels)))]
        level = levels[int(rng.integers(len(levels)))]
        top = int(rng.integers(level.shape[0] - size + 1))
        left = int(rng.integers(level.shape[1] - size + 1))
        return level[top : top + size, left : left + size]


def pyramid(pixels: PixelArray, smallest_edge: int) -> list[PixelArray]:
    """Scale a picture down by `PYRAMID_SCALES`, keeping the levels whose edges reach `smallest_edge`."""
    height, width = pixels.shape[:2]
    levels = []
    for scale in PYRAMID_SCALES:
        size = (round(width * scale), round(height * scale))
        if min(size) < smallest_edge:
            break
        resized = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS) if scale < 1.0 else pixels
        levels.append(np.asarray(resized, dtype=np.uint8))
    return levels


def _expose(rng: np.random.Generator, crop: PixelArray) -> PixelArray:
    """Change gain, offset and colour balance of half of the crops a little."""
    if rng.random() < 0.5:
        return crop
    gain = rng.uniform(0.7, 1.15) * rng.uniform(0.92, 1.08, size=3)
    offset = rng.uniform(-15.0, 15.0)
    return np.clip(crop * gain + offset, 0, 255).astype(np.uint8)
