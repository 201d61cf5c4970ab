"""Trainings as jobs on the reference teacher: each begins where the one before ended, and none is done twice."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
from PIL import Image
from pydantic import ValidationError

import nas.adaptation.steps  # noqa: F401  # enters the trainings among the kinds of jobs
from nas.adaptation.restoration.standalone import load, restore
from nas.domain.adaptation import (
    AdaptToRestoration,
    DistillOneStep,
    FineTune,
    FineTuningTerms,
    OneStepPath,
    OneStepTerms,
    Origin,
    PackRestorer,
    RestorationTask,
    TrainedNetwork,
    Training,
)
from nas.domain.architecture import Architecture
from nas.domain.job import ExportedNetwork, Job
from nas.domain.teacher import Calibration, TeacherRef
from nas.domain.value import FrozenDict
from nas.errors import EvaluationError, NotFound
from nas.estimation.execute import execute
from nas.training import loop
from nas.training.plan import Progress
from storage.artifacts import DirectoryWorkspace
from tests.builders.tiny_unet import make_teacher

SMALL = {**dict.fromkeys(("E4", "Mid", "D4"), "removed"), **dict.fromkeys(("E2", "E3", "D3", "D2"), "R")}
ARCHITECTURE = Architecture(choices=FrozenDict(SMALL))
TRAINING = Training(steps=2, batch=2, crop=32, warmup=0)
SCRATCH = Origin(from_scratch=True)


class Killed(BaseException):
    """Stands for the end of the process."""


def a_step(kind: Any, origin: Origin = SCRATCH, **more: Any) -> Any:
    base = {"teacher": TeacherRef(), "calibration": Calibration(), "architecture": ARCHITECTURE, "training": TRAINING}
    return kind(**{**base, "origin": origin, **more})


def done(payload: Any, workspace: DirectoryWorkspace) -> TrainedNetwork:
    result = execute(Job(payload=payload), workspace)
    assert isinstance(result, TrainedNetwork)
    return result


@pytest.fixture
def workspace(tmp_path: Path) -> DirectoryWorkspace:
    return DirectoryWorkspace(tmp_path)


def test_each_step_begins_where_the_one_before_it_ended(workspace: DirectoryWorkspace) -> None:
    tuned = done(a_step(FineTune), workspace)
    adapted = done(a_step(AdaptToRestoration, Origin(network=tuned.artifact)), workspace)
    path = OneStepPath(run_start=300, run_steps=2)
    one = done(a_step(DistillOneStep, Origin(network=adapted.artifact), path=path), workspace)
    assert (tuned.steps, len(tuned.curve)) == (2, 2)
    assert adapted.params - tuned.params == 32 * 16 * 9  # the guide's channels
    assert one.params == adapted.params
    assert len({tuned.artifact, adapted.artifact, one.artifact}) == 3
    weights = safetensors.torch.load(workspace.artifacts.get(one.artifact))
    assert sum(value.numel() for name, value in weights.items() if "tokens" not in name) == one.params
    assert list((workspace.scratch / "trainings").iterdir()) == []


def test_a_packed_restorer_restores_by_itself(workspace: DirectoryWorkspace, tmp_path: Path) -> None:
    adapted = done(a_step(AdaptToRestoration), workspace)
    one = done(
        a_step(DistillOneStep, Origin(network=adapted.artifact), terms=OneStepTerms(run=0, truth=1)), workspace
    )
    base = {"teacher": TeacherRef(), "calibration": Calibration(), "architecture": ARCHITECTURE}
    pack = PackRestorer(**base, origin=Origin(network=one.artifact), tile=64, overlap=16)
    packed = execute(Job(payload=pack), workspace)
    assert isinstance(packed, ExportedNetwork)
    with zipfile.ZipFile(io.BytesIO(workspace.artifacts.get(packed.artifact))) as archive:
        archive.extractall(tmp_path / "restorer")
    run, how = load(tmp_path / "restorer")
    assert (how.scale, how.tile, how.factor, how.channels) == (4, 64, 4, 16)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8))
    assert restore(picture, run, how).size == (96, 80)
    assert execute(Job(payload=pack), workspace) == packed


def test_a_finished_step_is_found_again_unless_its_weights_are_gone(
    workspace: DirectoryWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = a_step(FineTune)
    first = done(payload, workspace)
    monkeypatch.setattr(loop, "train", None)  # whoever trains now fails
    assert done(payload, workspace) == first
    monkeypatch.undo()
    for file in workspace.scratch.parent.rglob(f"*{first.artifact[2:]}*"):
        file.unlink()
    assert done(payload, workspace).artifact == first.artifact


def test_a_killed_step_goes_on_from_its_checkpoint_and_ends_alike(
    workspace: DirectoryWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = a_step(FineTune, training=TRAINING.evolve(steps=4), terms=FineTuningTerms(substitution=0.3))
    whole = done(payload, DirectoryWorkspace(tmp_path / "other"))
    monkeypatch.setattr(loop, "NEWS_EVERY_S", 0.0)
    train, steps = loop.train, []

    def killed(*given: Any) -> Any:
        def tell(news: Progress) -> None:
            steps.append(news.step)
            if len(steps) == 2:
                raise Killed

        return train(*given, on_progress=tell, checkpoint_s=0.0)

    monkeypatch.setattr(loop, "train", killed)
    with pytest.raises(Killed):
        execute(Job(payload=payload), workspace)
    assert done(payload, workspace).artifact == whole.artifact
    assert steps == [1, 2, 3, 4]


def test_baselines_begin_from_scratch_and_narrow_when_asked(workspace: DirectoryWorkspace) -> None:
    narrow = a_step(
        AdaptToRestoration,
        Origin(from_scratch=True, widths=(8, 16, 24, 24)),
        architecture=Architecture(choices=FrozenDict()),
    )
    assert done(narrow, workspace).params < 600_000
    other = a_step(FineTune, training=TRAINING.evolve(seed=1))
    assert done(a_step(FineTune), workspace).artifact != done(other, workspace).artifact


def test_what_cannot_be_trained_is_told_in_a_sentence(workspace: DirectoryWorkspace, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="adapted network"):
        done(a_step(DistillOneStep), workspace)
    tuned = done(a_step(FineTune), workspace)
    with pytest.raises(EvaluationError, match="another network"):
        done(a_step(DistillOneStep, Origin(network=tuned.artifact)), workspace)
    with pytest.raises(NotFound, match="No picture"):
        done(a_step(FineTune, training=TRAINING.evolve(pictures=str(tmp_path))), workspace)
    bare = make_teacher(tmp_path / "bare")
    with pytest.raises(EvaluationError, match="without a VAE"):
        done(a_step(FineTune, teacher=bare, architecture=Architecture(choices=FrozenDict())), workspace)


def test_specs_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValidationError, match="not from both"):
        Origin(network="a", blocks=FrozenDict({"E1": "b"}))
    with pytest.raises(ValidationError, match="begins from scratch"):
        Origin(widths=(8, 8))
    with pytest.raises(ValidationError, match="has to count"):
        OneStepTerms(run=0.0)
    with pytest.raises(ValidationError):
        RestorationTask(scale=9)
