"""An export as a job: what the artifact store gets is what others can load."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
import torch

from nas.adaptation.export import load_exported
from nas.domain.architecture import Architecture
from nas.domain.job import ExportedNetwork, ExportNetwork, Job
from nas.domain.teacher import Calibration
from nas.domain.value import FrozenDict
from nas.estimation.execute import recall
from storage.artifacts import DirectoryWorkspace
from tests.builders.tiny_unet import make_teacher
from workers.executor import run_job

CHOICES = FrozenDict({"E2": "removed", "Mid": "removed", "D1": "teacher"})


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> DirectoryWorkspace:
    return DirectoryWorkspace(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def job(workspace: DirectoryWorkspace) -> Job:
    payload = ExportNetwork(
        teacher=make_teacher(workspace.root / "teacher"),
        calibration=Calibration(source="gaussian", samples=4, holdout=4, latent_size=8, bands=2),
        architecture=Architecture(choices=CHOICES),
        weights=FrozenDict(),
        report=json.dumps({"search": "alpha", "trial": 7}),
    )
    return Job(payload=payload)


@pytest.fixture(scope="module")
def packed(job: Job, workspace: DirectoryWorkspace) -> ExportedNetwork:
    outcome = run_job(job, workspace)
    assert isinstance(outcome.result, ExportedNetwork), outcome.failure
    return outcome.result


def test_the_archive_is_a_folder_that_others_load(
    packed: ExportedNetwork, workspace: DirectoryWorkspace, tmp_path: Path
) -> None:
    content = workspace.artifacts.get(packed.artifact)
    assert len(content) == packed.size_bytes
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = set(archive.namelist())
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    assert {"model_index.json", "report.json", "model.onnx", "unet/config.json"} <= names
    assert not any(name.startswith(("/", "..")) for name in names)
    model = load_exported(tmp_path)
    with torch.no_grad():
        assert model(torch.zeros(1, 4, 8, 8), 10, torch.zeros(1, 5, 8)).sample.isfinite().all()
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["search"], report["trial"]) == ("alpha", 7)
    assert report["onnx"]["largest_relative_difference_to_torch"] < 1e-3


def test_weights_that_are_missing_are_named(job: Job, workspace: DirectoryWorkspace) -> None:
    lost = job.payload.evolve(
        architecture=Architecture(choices=FrozenDict({"E1": "R"})), weights=FrozenDict({"E1": "0" * 64})
    )
    failure = run_job(Job(payload=lost), workspace).failure
    assert failure is not None
    assert (failure.code, failure.transient) == ("evaluation_error", False)


def test_nothing_is_left_in_the_scratch_folder(packed: ExportedNetwork, workspace: DirectoryWorkspace) -> None:
    assert not list(workspace.scratch.glob("export-*"))


def test_an_export_is_recalled_only_while_its_archive_is_there(
    job: Job, packed: ExportedNetwork, workspace: DirectoryWorkspace
) -> None:
    assert recall(job, workspace) == packed
    workspace.artifacts.path(packed.artifact).unlink()
    assert recall(job, workspace) is None
