"""The loop on a straight line: killed, resumed, damaged, diverged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nas.errors import EvaluationError
from nas.training import loop
from nas.training.loop import train
from nas.training.plan import Progress, TrainingPlan

PLAN = TrainingPlan(150, 0.1, 0.001, warmup=4)


class Killed(Exception):
    """Stands for the end of the process."""


class Line:
    """Fits `3 x + 1` through noisy points of its own."""

    def __init__(self) -> None:
        self.network: nn.Module = nn.Linear(1, 1)
        for parameter in self.network.parameters():
            parameter.data.zero_()

    def parameter_groups(self) -> list[tuple[float, list[nn.Parameter]]]:
        return [(1.0, list(self.network.parameters()))]

    def loss(self, step: int) -> Tensor:
        x = torch.randn(16, 1, generator=torch.Generator().manual_seed(step))
        return (self.network(x) - 3 * x - 1).square().mean()


@pytest.fixture(autouse=True)
def every_step_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "NEWS_EVERY_S", 0.0)


def kill_at(step: int) -> Callable[[Progress], None]:
    def tell(news: Progress) -> None:
        if news.step == step:
            raise Killed

    return tell


def test_a_killed_training_ends_with_the_same_weights_and_the_same_curve(tmp_path: Path) -> None:
    whole = train(Line(), PLAN, tmp_path / "whole")
    for step in (7, 124):  # the second between two points of the curve
        with pytest.raises(Killed):
            train(Line(), PLAN, tmp_path / "parts", kill_at(step), checkpoint_s=0.0)
    parts = train(Line(), PLAN, tmp_path / "parts")
    assert [value.item() for value in parts.network.parameters()] == [v.item() for v in whole.network.parameters()]
    assert parts.curve == whole.curve
    assert [step for step, _ in whole.curve][-3:] == [147, 149, 150]
    assert whole.curve[-1][1] < 0.2 * whole.curve[0][1]


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    first = train(Line(), PLAN, tmp_path / "file")
    news: list[Progress] = []
    again = train(Line(), PLAN, tmp_path / "file", news.append)
    assert news == []
    assert again.curve == first.curve


@pytest.mark.parametrize(
    "content", [b"", b"nothing that anybody could read", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "]
)
def test_a_damaged_checkpoint_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    news: list[Progress] = []
    train(Line(), PLAN, tmp_path / "file", news.append)
    assert [one.step for one in news] == list(range(1, 151))


def test_a_training_that_diverges_is_told_as_such_and_leaves_no_half_file(tmp_path: Path) -> None:
    class Diverging(Line):
        def loss(self, step: int) -> Tensor:
            return super().loss(step) * (float("inf") if step == 3 else 1.0)

    with pytest.raises(EvaluationError, match=r"diverged.*step 3"):
        train(Diverging(), PLAN, tmp_path / "file", checkpoint_s=1e9)
    assert list(tmp_path.iterdir()) == []


def test_the_average_lags_behind_the_weights(tmp_path: Path) -> None:
    task = Line()
    trained = train(task, TrainingPlan(10, 0.05, 0.05, warmup=1), tmp_path / "file")
    (weight, _), (averaged, _) = task.network.parameters(), trained.network.parameters()
    assert 0.0 < float(averaged) < float(weight.detach())


def test_the_rate_warms_up_stays_and_falls_along_a_cosine() -> None:
    plan = TrainingPlan(100, 1.0, 0.0, decay_share=0.5, warmup=10)
    rates = [plan.rate(step, 100) for step in (0, 4, 9, 50, 75, 99)]
    assert rates[:5] == pytest.approx([0.1, 0.5, 1.0, 1.0, 0.5])
    assert 0.0 < rates[5] < 0.01
