from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch

from nas.domain.architecture import Architecture
from nas.domain.job import EvaluateArchitecture
from nas.domain.teacher import Calibration
from nas.domain.value import FrozenDict
from nas.errors import CorruptArtifact, EvaluationError, UnknownName
from nas.estimation.assemble import assemble
from nas.estimation.distill import distill
from nas.estimation.evaluate import evaluate
from nas.estimation.features import LATENTS, TIMESTEPS, Features
from nas.estimation.judge import judge_network
from nas.space.teachers.load import LoadedTeacher
from storage.artifacts import DirectoryWorkspace
from tests.fakes.workspace import MemoryArtifacts
from tests.nas.estimation.conftest import distillation_of, evaluation_of


@pytest.fixture(scope="module")
def artifacts() -> MemoryArtifacts:
    return MemoryArtifacts()


@pytest.fixture(scope="module")
def weights(teacher: LoadedTeacher, features: Features, artifacts: MemoryArtifacts) -> dict[str, str]:
    """Weights of E2/R and D2/R after a few steps."""
    return {
        stage: distill(
            teacher.denoiser,
            features,
            distillation_of(teacher.ref, features.manifest.calibration, stage, "R", steps=5),
            artifacts,
            Path("unused"),
        ).weights
        for stage in ("E2", "D2")
    }


@pytest.mark.parametrize("batch", [3, 8, 100])
def test_a_network_of_the_teachers_blocks_has_exactly_no_error(
    teacher: LoadedTeacher, features: Features, calibration: Calibration, artifacts: MemoryArtifacts, batch: int
) -> None:
    choices = {"E1": "teacher", "D4": "teacher"}
    evaluation = evaluate(teacher, features, evaluation_of(teacher.ref, calibration, choices, {}, batch), artifacts)
    assert evaluation.metrics["noise_mse"].mean == 0.0
    assert evaluation.metrics["noise_mse"].samples == calibration.holdout
    assert evaluation.band_noise_mse == (0.0,) * calibration.bands
    assert evaluation.metrics["feature_distance"].mean < 1e-6
    assert set(evaluation.stage_distances) == {stage.name for stage in teacher.denoiser.stages}


def test_noise_mse_is_what_one_gets_by_hand(
    teacher: LoadedTeacher,
    features: Features,
    calibration: Calibration,
    artifacts: MemoryArtifacts,
    weights: dict[str, str],
) -> None:
    payload = evaluation_of(teacher.ref, calibration, {"E2": "R", "D2": "R"}, weights)
    evaluation = evaluate(teacher, features, payload, artifacts)
    network = assemble(teacher, payload.architecture, weights, artifacts)
    rows = features.holdout
    inputs = (features.read(LATENTS, rows), features.read(TIMESTEPS, rows), features.context(rows))
    with torch.no_grad():
        mine, theirs = network(*inputs), teacher.denoiser(*inputs)
    expected = float((mine - theirs).square().mean())
    assert evaluation.metrics["noise_mse"].mean == pytest.approx(expected, rel=1e-4)
    relative = expected / float(theirs.square().mean())
    assert evaluation.metrics["noise_mse_relative"].mean == pytest.approx(relative, rel=1e-4)
    assert sum(evaluation.band_noise_mse) / calibration.bands == pytest.approx(expected, rel=1e-4)


def test_stages_before_the_first_change_stay_where_they_are(
    teacher: LoadedTeacher,
    features: Features,
    calibration: Calibration,
    artifacts: MemoryArtifacts,
    weights: dict[str, str],
) -> None:
    payload = evaluation_of(teacher.ref, calibration, {"D2": "R"}, {"D2": weights["D2"]})
    distances = evaluate(teacher, features, payload, artifacts).stage_distances
    assert max(distances[stage] for stage in ("E1", "E2", "E3", "E4", "Mid", "D4", "D3")) < 1e-6
    assert min(distances["D2"], distances["D1"]) > 1e-4


def test_a_removed_level_leaves_its_stages_out(
    teacher: LoadedTeacher, features: Features, calibration: Calibration, artifacts: MemoryArtifacts
) -> None:
    choices = dict.fromkeys(("E4", "Mid", "D4"), "removed")
    payload = evaluation_of(teacher.ref, calibration, choices, {})
    evaluation = evaluate(teacher, features, payload, artifacts)
    assert set(evaluation.stage_distances) == {"E1", "E2", "E3", "D3", "D2", "D1"}
    assert evaluation.metrics["noise_mse"].mean > 0


def test_assembling_leaves_the_teacher_as_it_was(
    teacher: LoadedTeacher, artifacts: MemoryArtifacts, weights: dict[str, str]
) -> None:
    own = teacher.denoiser.block("E2")
    network = assemble(teacher, Architecture(choices=FrozenDict({"E2": "R"})), weights, artifacts)
    assert teacher.denoiser.block("E2") is own
    assert network.block("E2") is not own
    assert network.block("E1") is teacher.denoiser.block("E1")


@pytest.mark.parametrize("choices", [{"E7": "R"}, {"E2": "RRRRR"}])
def test_an_unknown_stage_or_variant_is_refused(
    teacher: LoadedTeacher, artifacts: MemoryArtifacts, choices: dict[str, str]
) -> None:
    with pytest.raises(UnknownName):
        assemble(teacher, Architecture(choices=FrozenDict(choices)), {}, artifacts)


def test_missing_weights_are_refused(teacher: LoadedTeacher, artifacts: MemoryArtifacts) -> None:
    architecture = Architecture(choices=FrozenDict({"E2": "R"}))
    with pytest.raises(EvaluationError, match="no weights"):
        assemble(teacher, architecture, {}, artifacts)
    with pytest.raises(EvaluationError, match="gone"):
        assemble(teacher, architecture, {"E2": "0" * 64}, artifacts)


def test_weights_of_another_block_are_refused(
    teacher: LoadedTeacher, artifacts: MemoryArtifacts, weights: dict[str, str]
) -> None:
    with pytest.raises(EvaluationError, match="do not fit block E2/R"):
        assemble(teacher, Architecture(choices=FrozenDict({"E2": "R"})), {"E2": weights["D2"]}, artifacts)


def test_weights_that_are_no_safetensors_are_refused(teacher: LoadedTeacher, artifacts: MemoryArtifacts) -> None:
    digest = artifacts.put(b"\x80\x04\x95pickle")
    with pytest.raises(CorruptArtifact, match="safetensors"):
        assemble(teacher, Architecture(choices=FrozenDict({"E2": "R"})), {"E2": digest}, artifacts)


def test_a_network_that_is_not_finite_is_abandoned(
    teacher: LoadedTeacher,
    features: Features,
    calibration: Calibration,
    artifacts: MemoryArtifacts,
    weights: dict[str, str],
) -> None:
    state = safetensors.torch.load(artifacts.get(weights["E2"]))
    broken = {name: torch.full_like(tensor, float("inf")) for name, tensor in state.items()}
    payload = evaluation_of(
        teacher.ref, calibration, {"E2": "R"}, {"E2": artifacts.put(safetensors.torch.save(broken))}
    )
    with pytest.raises(EvaluationError, match="finite"):
        evaluate(teacher, features, payload, artifacts)


def test_an_unknown_metric_names_the_nearest(
    teacher: LoadedTeacher, features: Features, calibration: Calibration, artifacts: MemoryArtifacts
) -> None:
    payload: EvaluateArchitecture = evaluation_of(teacher.ref, calibration, {}, {}).evolve(metrics=("noise_mes",))
    with pytest.raises(UnknownName, match="noise_mse"):
        evaluate(teacher, features, payload, artifacts)


def test_a_network_made_elsewhere_gets_the_same_verdict(
    teacher: LoadedTeacher,
    features: Features,
    calibration: Calibration,
    artifacts: MemoryArtifacts,
    weights: dict[str, str],
    workspace: DirectoryWorkspace,
) -> None:
    payload = evaluation_of(teacher.ref, calibration, {"E2": "R"}, {"E2": weights["E2"]})
    expected = evaluate(teacher, features, payload, artifacts)
    network = assemble(teacher, payload.architecture, payload.weights, artifacts)
    assert judge_network(network, payload, workspace) == expected
