from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from nas.domain.teacher import Calibration
from nas.errors import EvaluationError, UnknownName
from nas.estimation import distill as distill_module
from nas.estimation.block_training import BlockTraining, TrainingProgress, rate_factor, stratified_order
from nas.estimation.checkpoint import load_progress, load_tensors, save_checkpoint
from nas.estimation.distill import distill, fresh_block
from nas.estimation.features import Features
from nas.estimation.normalised_error import normalised_squared_error
from nas.space.blocks.catalogue import build_block
from nas.space.teachers.load import LoadedTeacher
from storage.artifacts import DirectoryWorkspace
from tests.fakes.workspace import MemoryArtifacts
from tests.nas.estimation.conftest import distillation_of


def training(teacher: LoadedTeacher, features: Features, steps: int = 20, **settings: object) -> BlockTraining:
    payload = distillation_of(teacher.ref, features.manifest.calibration, "E1", "R", steps=steps, **settings)
    stage = next(stage for stage in teacher.denoiser.stages if stage.name == "E1")
    block = fresh_block(teacher.denoiser, stage, "R", payload.distillation)
    return BlockTraining(block, features, "E1", payload.distillation)


def weights(training: BlockTraining) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in training.block.state_dict().items()}


@pytest.mark.parametrize(("stage", "variant"), [("E2", "R"), ("D2", "RAA"), ("D1", "R"), ("Mid", "R")])
def test_the_held_out_loss_goes_down(teacher: LoadedTeacher, features: Features, stage: str, variant: str) -> None:
    def loss(steps: int) -> float:
        payload = distillation_of(teacher.ref, features.manifest.calibration, stage, variant, steps=steps)
        return distill(teacher.denoiser, features, payload, MemoryArtifacts(), Path("unused")).block_loss

    assert loss(40) < 0.8 * loss(0)


def test_the_teachers_own_block_has_no_loss_and_no_weights(
    teacher: LoadedTeacher, features: Features, tmp_path: Path
) -> None:
    payload = distillation_of(teacher.ref, features.manifest.calibration, "E1", "teacher")
    entry = distill(teacher.denoiser, features, payload, MemoryArtifacts(), tmp_path)
    assert (entry.block_loss, entry.weights, entry.band_losses) == (0.0, "", (0.0,) * 4)
    assert entry.cost.params == sum(p.numel() for p in teacher.denoiser.block("E1").parameters())


def test_the_teachers_own_block_would_score_almost_nothing(teacher: LoadedTeacher, features: Features) -> None:
    """Ties the loss to the features: stored inputs through the teacher's block give the stored outputs."""
    for stage in ("E1", "Mid", "D3"):
        own = BlockTraining(
            teacher.denoiser.block(stage),
            features,
            stage,
            distillation_of(teacher.ref, features.manifest.calibration, stage, "teacher").distillation,
        )
        assert own.holdout_losses()[0] < 1e-5


def test_a_block_without_parameters_takes_no_steps(
    teacher: LoadedTeacher, features: Features, tmp_path: Path
) -> None:
    payload = distillation_of(teacher.ref, features.manifest.calibration, "Mid", "removed")
    entry = distill(teacher.denoiser, features, payload, MemoryArtifacts(), tmp_path)
    assert (entry.weights, entry.curve) == ("", ())
    inputs, targets = features.stage_input("Mid", features.holdout), features.stage_output("Mid", features.holdout)
    expected = normalised_squared_error([inputs.hidden], targets, features.variances("Mid")).mean()
    assert entry.block_loss == pytest.approx(float(expected), rel=1e-5)


def test_stored_weights_are_those_that_were_judged(
    teacher: LoadedTeacher, features: Features, tmp_path: Path
) -> None:
    artifacts = MemoryArtifacts()
    payload = distillation_of(teacher.ref, features.manifest.calibration, "E2", "RA", steps=5)
    entry = distill(teacher.denoiser, features, payload, artifacts, tmp_path)
    stage = next(stage for stage in teacher.denoiser.stages if stage.name == "E2")
    block = build_block(stage, teacher.denoiser.block("E2"), "RA")
    block.load_state_dict(safetensors.torch.load(artifacts.get(entry.weights)))
    again = BlockTraining(block, features, "E2", payload.distillation)
    assert again.holdout_losses() == (entry.block_loss, entry.band_losses)
    assert sum(entry.band_losses) / len(entry.band_losses) == pytest.approx(entry.block_loss)
    assert entry.key == payload.key
    assert entry.curve[-1][0] == 5


def test_distillation_leaves_the_teacher_alone(teacher: LoadedTeacher, features: Features, tmp_path: Path) -> None:
    before = {name: tensor.clone() for name, tensor in teacher.denoiser.state_dict().items()}
    payload = distillation_of(teacher.ref, features.manifest.calibration, "D2", "RAA", steps=3)
    distill(teacher.denoiser, features, payload, MemoryArtifacts(), tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.denoiser.state_dict().items())


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    teacher: LoadedTeacher, features: Features
) -> None:
    digests = []
    for seed in (0, 0, 1):
        payload = distillation_of(teacher.ref, features.manifest.calibration, "E1", "R", seed=seed, steps=4)
        digests.append(distill(teacher.denoiser, features, payload, MemoryArtifacts(), Path("unused")).weights)
    assert digests[0] == digests[1] != digests[2]


def test_random_initialisation_forgets_the_teacher(teacher: LoadedTeacher, features: Features) -> None:
    inherited, drawn = training(teacher, features), training(teacher, features, initialise="random")
    assert inherited.holdout_losses()[0] < drawn.holdout_losses()[0]
    assert not any(
        torch.equal(one, other)
        for (name, one), other in zip(weights(inherited).items(), weights(drawn).values(), strict=True)
        if "conv" in name and name.endswith("weight")
    )


def test_a_resumed_training_ends_with_the_same_weights(
    teacher: LoadedTeacher, features: Features, tmp_path: Path
) -> None:
    whole, half = training(teacher, features), training(teacher, features)
    while not whole.done:
        whole.step()
    for _ in range(9):
        half.step()
    save_checkpoint(tmp_path / "c", half)
    progress = load_progress(tmp_path / "c")
    assert progress is not None
    fresh = training(teacher, features)
    resumed = BlockTraining(fresh.block, features, "E1", fresh.distillation, progress)
    load_tensors(tmp_path / "c", resumed)
    while not resumed.done:
        resumed.step()
    assert all(torch.equal(tensor, weights(whole)[name]) for name, tensor in weights(resumed).items())
    assert resumed.progress.curve == whole.progress.curve


def test_a_torn_checkpoint_counts_as_none(tmp_path: Path) -> None:
    assert load_progress(tmp_path / "missing") is None
    (tmp_path / "torn").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    assert load_progress(tmp_path / "torn") is None


def _distil_on(threads: int, *given: object) -> None:
    """In a process that was not forked: this one may have run torch's backward pass, which forks cannot share."""
    torch.set_num_threads(threads)
    distill(*given)  # type: ignore[arg-type]  # as it takes them


def test_a_killed_distillation_goes_on_where_it_was(
    teacher: LoadedTeacher, features: Features, workspace: DirectoryWorkspace
) -> None:
    payload = distillation_of(teacher.ref, features.manifest.calibration, "E1", "R", steps=150)
    checkpoint = workspace.scratch / f"{payload.key}.distillation"
    places = workspace.artifacts, workspace.scratch
    process = multiprocessing.get_context("spawn").Process(
        target=_distil_on,
        args=(torch.get_num_threads(), teacher.denoiser, features, payload, *places, None, 0.0),
    )
    process.start()
    deadline = time.monotonic() + 120
    while (load_progress(checkpoint) or TrainingProgress(rate=1.0)).step < 10:
        assert process.is_alive(), "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.join()
    reached = load_progress(checkpoint)
    assert reached is not None
    assert 10 <= reached.step < 150

    taken = []
    step = BlockTraining.step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BlockTraining, "step", lambda self: taken.append(1) or step(self))
        resumed = distill(teacher.denoiser, features, payload, workspace.artifacts, workspace.scratch)
    assert len(taken) == 150 - reached.step
    assert not checkpoint.exists()
    whole = distill(teacher.denoiser, features, payload, MemoryArtifacts(), workspace.scratch / "other")
    assert resumed.weights == whole.weights
    assert resumed.block_loss == whole.block_loss


def test_a_loss_that_is_not_finite_starts_anew_at_a_third_of_the_rate(
    teacher: LoadedTeacher, features: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = []
    original = distill_module._train

    def poisoned(training: BlockTraining, checkpoint: Path, checkpoint_s: float) -> None:
        rates.append(training.progress.rate)
        if len(rates) == 1:
            with torch.no_grad():
                training.parameters[0].fill_(float("nan"))
        original(training, checkpoint, checkpoint_s)

    monkeypatch.setattr(distill_module, "_train", poisoned)
    payload = distillation_of(teacher.ref, features.manifest.calibration, "E1", "R", steps=5)
    entry = distill(teacher.denoiser, features, payload, MemoryArtifacts(), tmp_path)
    assert rates == [pytest.approx(1e-3), pytest.approx(1e-3 / 3)]
    assert 0 < entry.block_loss < 10


def test_a_block_that_never_becomes_finite_is_given_up(
    teacher: LoadedTeacher, features: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = distillation_of(teacher.ref, features.manifest.calibration, "E1", "R", steps=5)
    stage = features.stages["E1"]
    monkeypatch.setattr(Features, "variances", lambda *_: (float("nan"),) * len(stage.outputs))
    with pytest.raises(EvaluationError, match="E1/R"):
        distill(teacher.denoiser, features, payload, MemoryArtifacts(), tmp_path)


@pytest.mark.parametrize(("stage", "variant"), [("E9", "R"), ("E1", "RAX")])
def test_an_unknown_stage_or_variant_names_the_nearest(
    teacher: LoadedTeacher, features: Features, tmp_path: Path, stage: str, variant: str
) -> None:
    payload = distillation_of(teacher.ref, features.manifest.calibration, stage, variant)
    with pytest.raises(UnknownName, match="Did you mean"):
        distill(teacher.denoiser, features, payload, MemoryArtifacts(), tmp_path)


def test_batches_are_stratified_and_an_epoch_sees_every_sample_once() -> None:
    order = stratified_order(samples=22, bands=4, seed=0, epoch=3)
    assert sorted(order) == list(range(22))
    for start in range(0, 20, 4):
        assert sorted(row % 4 for row in order[start : start + 4]) == [0, 1, 2, 3]
    assert order != stratified_order(samples=22, bands=4, seed=0, epoch=4)


def test_a_batch_may_be_larger_than_the_calibration(teacher: LoadedTeacher, features: Features) -> None:
    assert training(teacher, features, batch=100).step() > 0


def test_the_rate_warms_up_and_falls_to_nothing() -> None:
    factors = [rate_factor(step, 100) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == factors[9] == pytest.approx(1.0)
    assert factors[9:] == sorted(factors[9:], reverse=True)
    assert factors[-1] < 0.001
    assert rate_factor(0, 1) == 1.0


def test_predicting_the_mean_costs_one(calibration: Calibration) -> None:
    targets = [torch.randn(50, 3, 4) * 5 + 7, torch.randn(50, 2) * 0.1]
    variances = [float(target.var(correction=0)) for target in targets]
    guesses = [target.mean().expand_as(target) for target in targets]
    assert float(normalised_squared_error(guesses, targets, variances).mean()) == pytest.approx(1.0, rel=1e-4)
