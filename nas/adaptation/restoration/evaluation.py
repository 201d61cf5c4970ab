"""Any way to restore, judged on whole pictures: degraded by the protocol, restored, compared with the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from nas.adaptation.restoration.degradation import DEGRADATIONS, Pixels, enlarge
from nas.adaptation.restoration.quality import Quality, quality
from nas.reference.pictures import Picture

Restore = Callable[[Pixels], Pixels]
"""A poor picture, `h x w x 3`, to a good one, `scale h x scale w x 3`."""


@dataclass(frozen=True)
class PictureScore:
    """What became of one picture.

    Attributes:
        picture: Its name.
        quality: Against the truth.
    """

    picture: str
    quality: Quality


@dataclass(frozen=True)
class Protocol:
    """How pictures are made poor.

    Attributes:
        scale: How many times smaller.
        degradation: Name of what is done to them.
        seed: Of what is drawn; every picture has its own stream, so a score does not depend on its neighbours.
    """

    scale: int
    degradation: str = "bicubic"
    seed: int = 0

    def pair(self, picture: Picture, number: int) -> tuple[Pixels, Pixels]:
        """The poor picture, and the truth cut to a multiple of the scale, as the field does."""
        height, width = (edge // self.scale * self.scale for edge in picture.pixels.shape[:2])
        truth = picture.pixels[:height, :width]
        rng = np.random.default_rng((self.seed, number))
        return DEGRADATIONS.get(self.degradation)(rng, truth, self.scale), truth


def evaluate(restore: Restore, pictures: Sequence[Picture], protocol: Protocol) -> list[PictureScore]:
    """Scores of one way to restore; as many pixels as the scale has are cut from every edge.

    Raises:
        EvaluationError: If a picture is too small, or what comes back has another size than the truth.
    """
    pairs = (protocol.pair(picture, number) for number, picture in enumerate(pictures))
    return [
        PictureScore(picture.name, quality(restore(poor), truth, protocol.scale))
        for picture, (poor, truth) in zip(pictures, pairs, strict=True)
    ]


def bicubic(scale: int) -> Restore:
    """What everything is compared with."""
    return lambda poor: enlarge(poor, scale)


def mean_quality(scores: Iterable[PictureScore]) -> Quality:
    """The mean over pictures of each figure, as the field reports it."""
    rows = [asdict(score.quality) for score in scores]
    return Quality(**{field.name: float(np.mean([row[field.name] for row in rows])) for field in fields(Quality)})
