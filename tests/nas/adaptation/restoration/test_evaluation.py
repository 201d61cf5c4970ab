"""Scores of ways to restore: the published ones of bicubic, a perfect one, and what does not fit."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from nas.adaptation.restoration.evaluation import Protocol, bicubic, evaluate, mean_quality
from nas.errors import EvaluationError
from nas.reference.pictures import Picture, folder_pictures

SET5 = Path(__file__).parents[5] / "shared" / "data" / "set5"
RNG = np.random.default_rng(0)
PICTURES = [Picture(name, RNG.integers(0, 256, (50, 61, 3), dtype=np.uint8)) for name in ("one", "two")]


def test_bicubic_scores_stand_with_their_pictures() -> None:
    scores = evaluate(bicubic(4), PICTURES, Protocol(4))
    assert [score.picture for score in scores] == ["one", "two"]
    assert mean_quality(scores).psnr_y == pytest.approx(np.mean([score.quality.psnr_y for score in scores]))
    assert 8.0 < mean_quality(scores).psnr_y < 16.0


def test_whoever_knows_the_truth_is_perfect() -> None:
    truths = iter([picture.pixels[:48, :60] for picture in PICTURES])
    assert mean_quality(evaluate(lambda poor: next(truths), PICTURES, Protocol(4))).psnr_rgb == math.inf


def test_what_is_drawn_for_a_picture_depends_on_its_place_and_the_seed() -> None:
    protocol = Protocol(2, "second_order", seed=3)
    poor, truth = protocol.pair(PICTURES[0], 0)
    assert truth.shape == (50, 60, 3)
    assert np.array_equal(poor, protocol.pair(PICTURES[0], 0)[0])
    assert not np.array_equal(poor, protocol.pair(PICTURES[0], 1)[0])
    assert not np.array_equal(poor, Protocol(2, "second_order", seed=4).pair(PICTURES[0], 0)[0])


def test_a_result_of_another_size_is_refused() -> None:
    with pytest.raises(EvaluationError, match="differ in size"):
        evaluate(bicubic(2), PICTURES, Protocol(4))


@pytest.mark.skipif(not SET5.is_dir(), reason="Set5 is not beside this checkout")
@pytest.mark.parametrize(("scale", "psnr", "ssim"), [(2, 33.66, 0.9299), (3, 30.39, 0.8682), (4, 28.42, 0.8104)])
def test_bicubic_on_set5_scores_what_is_published(scale: int, psnr: float, ssim: float) -> None:
    """Published for MATLAB's filter (Dong et al., TPAMI 2016); Pillow's differs at borders and in rounding."""
    found = mean_quality(evaluate(bicubic(scale), folder_pictures(SET5), Protocol(scale)))
    assert found.psnr_y == pytest.approx(psnr, abs=0.03)
    assert found.ssim_y == pytest.approx(ssim, abs=0.001)
