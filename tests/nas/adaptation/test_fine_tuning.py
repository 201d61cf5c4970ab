"""The three terms of fine-tuning: what each is, and how the teacher's fade."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nas.adaptation.crops import CropSource
from nas.adaptation.fine_tuning import FineTuningTask, feature_distance
from nas.domain.adaptation import FineTuningTerms
from nas.space.teachers.load import LoadedTeacher
from nas.training.loop import train
from nas.training.plan import TrainingPlan
from tests.nas.adaptation.restoration.tiny import (
    ARCHITECTURE,
    TOKENS,
    schedule,
    tiny_codec,
    tiny_network,
    tiny_teacher,
)

CROPS = CropSource(32)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> LoadedTeacher:
    return tiny_teacher(tmp_path_factory.mktemp("teacher"))


def a_task(teacher: LoadedTeacher, architecture: dict[str, str], **terms: float) -> FineTuningTask:
    wanted = FineTuningTerms(**{"noise": 0.0, "output": 0.0, "features": 0.0, **terms})
    student = tiny_network(teacher, architecture)
    return FineTuningTask(
        student, teacher.denoiser, schedule(), CROPS, tiny_codec(), TOKENS[None], wanted, batch=4, steps=10, pool=8
    )


@pytest.mark.parametrize("term", ["output", "features"])
def test_the_teacher_itself_has_no_distance_to_the_teacher(teacher: LoadedTeacher, term: str) -> None:
    assert float(a_task(teacher, {}, **{term: 1.0}).loss(0).detach()) == pytest.approx(0.0, abs=1e-8)
    assert float(a_task(teacher, ARCHITECTURE, **{term: 1.0}).loss(0).detach()) > 1e-4


def test_the_teachers_terms_fade_along_a_cosine(teacher: LoadedTeacher) -> None:
    terms = FineTuningTerms(annealed=0.8)
    assert [terms.fade(step, 10) for step in (0, 4, 8, 10)] == pytest.approx([1.0, 0.5, 0.0, 0.0])
    assert FineTuningTerms(annealed=0.0).fade(10, 10) == 1.0
    task = a_task(teacher, ARCHITECTURE, output=1.0, annealed=0.8)
    assert float(task.loss(9).detach()) == 0.0


def test_where_every_block_is_substituted_the_student_is_the_teacher(teacher: LoadedTeacher) -> None:
    task = a_task(teacher, ARCHITECTURE, output=1.0, features=1.0, substitution=1.0)
    assert float(task.loss(0).detach()) == pytest.approx(0.0, abs=1e-8)
    some = a_task(teacher, ARCHITECTURE, output=1.0, substitution=0.5)
    assert len({round(float(some.loss(step).detach()), 6) for step in range(6)}) > 1


def test_features_are_compared_relative_to_their_size_where_a_stage_runs_in_both() -> None:
    ours = {"E1": (torch.full((1, 2), 3.0),), "D1": (torch.ones(1),)}
    theirs = {"E1": (torch.full((1, 2), 2.0),), "Mid": (torch.ones(1),)}
    assert float(feature_distance(ours, theirs)) == pytest.approx(0.25)
    assert float(feature_distance({}, theirs)) == 0.0


def test_fine_tuning_brings_the_student_nearer_to_the_teacher(teacher: LoadedTeacher, tmp_path: Path) -> None:
    task = a_task(teacher, ARCHITECTURE, output=1.0, features=0.1, annealed=0.0)
    before = [value.clone() for value in teacher.denoiser.parameters()]
    trained = train(task, TrainingPlan(60, 5e-3, 1e-4, warmup=5), tmp_path / "fine-tuning")
    assert trained.curve[-1][1] < 0.7 * trained.curve[0][1]
    assert all(torch.equal(old, new) for old, new in zip(before, teacher.denoiser.parameters(), strict=True))
