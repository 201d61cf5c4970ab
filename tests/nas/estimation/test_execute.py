from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
import torch

from nas.domain.device import LatencyProtocol
from nas.domain.job import (
    AnyPayload,
    CaptureFeatures,
    CountFloor,
    Evaluation,
    FeatureSet,
    Job,
    MeasureBlock,
    Resources,
)
from nas.domain.library import LibraryEntry, NetworkFloor
from nas.domain.teacher import Calibration, TeacherRef
from nas.errors import EvaluationError
from nas.estimation.execute import RUNS, device_of, execute
from nas.estimation.features import Features
from storage.artifacts import DirectoryWorkspace
from tests.nas.estimation.conftest import distillation_of, evaluation_of


def payload_kinds() -> set[str]:
    union = AnyPayload.__origin__
    return {member.model_fields["kind"].default for member in union.__args__}


def test_every_kind_of_job_can_be_run() -> None:
    import nas.adaptation.package  # noqa: F401  # enters the export

    assert set(RUNS.names()) == payload_kinds()


def test_a_search_in_small(teacher_ref: TeacherRef, calibration: Calibration, workspace: DirectoryWorkspace) -> None:
    """Capture, floor, two blocks, one architecture: the path of the main job, on a real workspace."""
    receipt = execute(Job(payload=CaptureFeatures(teacher=teacher_ref, calibration=calibration)), workspace)
    assert isinstance(receipt, FeatureSet)
    assert receipt.size_bytes == Features(workspace.features / receipt.key).manifest.size_bytes
    floor = execute(Job(payload=CountFloor(teacher=teacher_ref, calibration=calibration)), workspace)
    assert isinstance(floor, NetworkFloor)
    assert floor.cost.params > 0
    weights = {}
    for stage in ("E2", "D1"):
        entry = execute(Job(payload=distillation_of(teacher_ref, calibration, stage, "R", steps=5)), workspace)
        assert isinstance(entry, LibraryEntry)
        assert entry.weights in workspace.artifacts
        weights[stage] = entry.weights
    job = Job(payload=evaluation_of(teacher_ref, calibration, dict.fromkeys(weights, "R"), weights))
    evaluation = execute(job, workspace)
    assert isinstance(evaluation, Evaluation)
    assert evaluation.metrics["noise_mse"].mean > 0


def test_a_job_in_the_journal_runs_nothing(
    teacher_ref: TeacherRef,
    calibration: Calibration,
    workspace: DirectoryWorkspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = Job(payload=evaluation_of(teacher_ref, calibration, {"Mid": "removed"}, {}))
    first = execute(job, workspace)
    monkeypatch.setattr(RUNS, "get", lambda kind: pytest.fail(f"{kind} was run again"))
    assert execute(job, workspace) == first


def test_the_result_is_in_the_journal_before_it_is_returned(
    teacher_ref: TeacherRef, calibration: Calibration, workspace: DirectoryWorkspace
) -> None:
    job = Job(payload=CountFloor(teacher=teacher_ref, calibration=calibration))
    result = execute(job, workspace)
    stored = workspace.journal.recall(job.key)
    assert stored is not None
    assert NetworkFloor.model_validate_json(stored) == result


def test_an_entry_whose_weights_are_gone_is_distilled_again(
    teacher_ref: TeacherRef, calibration: Calibration, workspace: DirectoryWorkspace
) -> None:
    job = Job(payload=distillation_of(teacher_ref, calibration, "E1", "R", steps=2))
    entry = execute(job, workspace)
    assert isinstance(entry, LibraryEntry)
    shutil.rmtree(workspace.root / "artifacts")
    again = execute(job, workspace)
    assert isinstance(again, LibraryEntry)
    assert again.weights == entry.weights
    assert again.weights in workspace.artifacts


def test_features_that_were_damaged_meanwhile_are_captured_again(
    teacher_ref: TeacherRef, calibration: Calibration, workspace: DirectoryWorkspace
) -> None:
    receipt = execute(Job(payload=CaptureFeatures(teacher=teacher_ref, calibration=calibration)), workspace)
    assert isinstance(receipt, FeatureSet)
    file = workspace.features / receipt.key / "Mid.output.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 255
    file.write_bytes(content)
    entry = execute(Job(payload=distillation_of(teacher_ref, calibration, "Mid", "removed")), workspace)
    assert isinstance(entry, LibraryEntry)
    assert file.read_bytes() != bytes(content)


def test_features_that_are_gone_are_captured_again_on_request(
    teacher_ref: TeacherRef, calibration: Calibration, workspace: DirectoryWorkspace
) -> None:
    job = Job(payload=CaptureFeatures(teacher=teacher_ref, calibration=calibration))
    receipt = execute(job, workspace)
    assert isinstance(receipt, FeatureSet)
    shutil.rmtree(workspace.features / receipt.key)
    assert execute(job, workspace) == receipt
    assert (workspace.features / receipt.key / "manifest.json").exists()


def test_a_teacher_whose_files_changed_is_refused(
    teacher_ref: TeacherRef, calibration: Calibration, workspace: DirectoryWorkspace
) -> None:
    changed = teacher_ref.evolve(fingerprint="0" * 64)
    with pytest.raises(EvaluationError, match="changed"):
        execute(Job(payload=CountFloor(teacher=changed, calibration=calibration)), workspace)


def test_a_job_gets_the_threads_it_asked_for() -> None:
    try:
        device_of(Resources(cpus=1.5))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_a_latency_runs_through_the_same_door(
    teacher_ref: TeacherRef, calibration: Calibration, workspace: DirectoryWorkspace
) -> None:
    payload = MeasureBlock(
        teacher=teacher_ref,
        calibration=calibration,
        stage="Mid",
        variant="removed",
        device="host",
        protocol=LatencyProtocol(repeats=3, seconds=0.0),
    )
    measured = execute(Job(payload=payload), workspace)
    assert measured.kind == "latency"


def test_a_journal_hit_costs_no_heavy_import() -> None:
    code = "import sys, nas.estimation.execute, nas.estimation.devices; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
