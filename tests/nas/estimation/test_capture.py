from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from nas.domain.teacher import Calibration, TeacherRef
from nas.errors import CorruptArtifact, DiskFull, EvaluationError, NotFound
from nas.estimation import capture as capture_module
from nas.estimation.calibration import noisy_latents
from nas.estimation.capture import capture, discard, planned_bytes
from nas.estimation.feature_files import TensorFile
from nas.estimation.features import MANIFEST, Features
from nas.space.stage import Stage, StageInput, StageOutput
from nas.space.teachers.load import LoadedTeacher, load


def borders(teacher: LoadedTeacher, calibration: Calibration) -> dict[str, tuple[StageInput, StageOutput]]:
    """Inputs and outputs of every stage for all rows at once."""
    latents = noisy_latents(teacher, calibration)
    found: dict[str, tuple[StageInput, StageOutput]] = {}

    def keep(stage: Stage, inputs: StageInput, output: StageOutput) -> None:
        found[stage.name] = inputs, output

    assert latents.context is not None
    context = latents.context.expand(len(latents.timestep), -1, -1)
    with torch.inference_mode():
        teacher.denoiser.observed(latents.sample, latents.timestep, context, keep)
    return found


def assert_half_equal(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-3)


def test_what_was_captured_is_what_the_teacher_computes(
    teacher: LoadedTeacher, calibration: Calibration, features: Features
) -> None:
    rows = [0, 17, 30]  # two distillation samples of different batches and a hold-out sample
    for stage, (inputs, output) in borders(teacher, calibration).items():
        read = features.stage_input(stage, rows)
        assert_half_equal(read.hidden, inputs.hidden[rows])
        assert_half_equal(read.temb, inputs.temb[rows])
        assert inputs.context is not None
        assert read.context is not None
        torch.testing.assert_close(read.context, inputs.context[rows])
        assert len(read.skips) == len(inputs.skips)
        for mine, theirs in zip(read.skips, inputs.skips, strict=True):
            assert_half_equal(mine, theirs[rows])
        for mine, theirs in zip(features.stage_output(stage, rows), output.tensors(), strict=True):
            assert_half_equal(mine, theirs[rows])


def test_variances_are_those_of_the_teachers_tensors(
    teacher: LoadedTeacher, calibration: Calibration, features: Features
) -> None:
    for stage, (_, output) in borders(teacher, calibration).items():
        expected = [float(tensor.var(correction=0)) for tensor in output.tensors()]
        assert features.variances(stage) == pytest.approx(expected, rel=1e-3)


def test_the_same_tensor_is_stored_once(features: Features) -> None:
    stages = features.stages
    assert stages["E1"].outputs[0] == stages["E2"].hidden
    assert stages["D2"].skips == tuple(reversed(stages["E2"].outputs[1:]))
    assert len({names.temb for names in stages.values()}) == 1
    files = {path.name for path in features.folder.glob("*.npy")}
    assert files == {f"{name}.npy" for name in features.manifest.tensors}


def test_the_planned_size_is_the_real_size(
    teacher: LoadedTeacher, calibration: Calibration, features: Features
) -> None:
    real = sum(path.stat().st_size for path in features.folder.glob("*.npy"))
    assert planned_bytes(teacher, calibration) == real == features.manifest.size_bytes


def test_a_second_capture_reuses_the_first(
    teacher: LoadedTeacher, calibration: Calibration, features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_module, "noisy_latents", lambda *_: pytest.fail("captured again"))
    receipt = capture(teacher, calibration, features.folder.parent, features.manifest.key)
    assert receipt.size_bytes == features.manifest.size_bytes
    assert receipt.samples == calibration.samples + calibration.holdout


def copied(features: Features, folder: Path) -> Path:
    return Path(shutil.copytree(features.folder, folder / features.manifest.key))


def test_a_flipped_bit_is_found_when_the_tensor_is_read(features: Features, tmp_path: Path) -> None:
    folder = copied(features, tmp_path)
    path = folder / "D1.output.npy"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    damaged = Features(folder)
    damaged.stage_input("E1", range(2))  # its files are sound
    with pytest.raises(CorruptArtifact, match="digest"):
        damaged.stage_output("D1", range(2))


def test_a_short_file_is_found_when_the_set_is_opened(features: Features, tmp_path: Path) -> None:
    folder = copied(features, tmp_path)
    path = folder / "temb.npy"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CorruptArtifact, match="size"):
        Features(folder)


def test_damaged_features_are_captured_anew(
    teacher: LoadedTeacher, calibration: Calibration, features: Features, tmp_path: Path
) -> None:
    folder = copied(features, tmp_path)
    (folder / "temb.npy").unlink()
    capture(teacher, calibration, tmp_path, features.manifest.key)
    torch.testing.assert_close(Features(folder).read("temb", range(32)), features.read("temb", range(32)))


def test_a_folder_without_manifest_is_garbage(
    teacher: LoadedTeacher, calibration: Calibration, features: Features, tmp_path: Path
) -> None:
    folder = copied(features, tmp_path)
    (folder / MANIFEST).unlink()
    with pytest.raises(NotFound):
        Features(folder)
    leftover = tmp_path / f"{features.manifest.key}.dead.partial"
    leftover.mkdir()
    capture(teacher, calibration, tmp_path, features.manifest.key)
    assert Features(folder).manifest.tensors == features.manifest.tensors
    assert not leftover.exists()


def test_a_discarded_set_is_gone(features: Features, tmp_path: Path) -> None:
    folder = copied(features, tmp_path)
    discard(tmp_path, features.manifest.key)
    assert not folder.exists()


def test_too_much_is_refused_before_anything_is_written(
    teacher: LoadedTeacher, calibration: Calibration, tmp_path: Path
) -> None:
    with pytest.raises(EvaluationError, match="limit"):
        capture(teacher, calibration, tmp_path, "key", limit_bytes=planned_bytes(teacher, calibration) - 1)
    assert list(tmp_path.glob("*/*.npy")) == []


def test_a_full_disk_is_told_as_such(
    teacher: LoadedTeacher, calibration: Calibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_module, "RESERVED_BYTES", 1 << 60)
    with pytest.raises(DiskFull, match="free"):
        capture(teacher, calibration, tmp_path, "key")


def capture_and_tell(
    ref: TeacherRef, calibration: Calibration, store: Path, told: multiprocessing.Queue[int]
) -> None:
    teacher = load(ref)
    made = []
    original = capture_module._write
    capture_module._write = lambda *args: made.append(1) or original(*args)
    capture(teacher, calibration, store, "key")
    told.put(len(made))


def test_of_two_processes_one_captures_and_the_other_waits(
    teacher_ref: TeacherRef, calibration: Calibration, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[int] = context.Queue()
    processes = [
        context.Process(target=capture_and_tell, args=(teacher_ref, calibration, tmp_path, told)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    assert sorted(told.get(timeout=1) for _ in processes) == [0, 1]
    assert Features(tmp_path / "key").read("temb", range(1)).shape == (1, 32)


def test_an_overflow_moves_the_file_to_bfloat16_and_keeps_its_size(tmp_path: Path) -> None:
    rows = torch.randn(6, 5)
    rows[4, 2] = 1e6
    file = TensorFile(tmp_path / "x.npy", (6, 5))
    size = None
    for start in (0, 3):
        file.append(rows[start : start + 3])
    stored = file.close()
    size = tmp_path.joinpath("x.npy").stat().st_size
    assert stored.dtype == "bfloat16"
    assert "overflow" in stored.reason
    assert stored.size_bytes == size == 128 + 6 * 5 * 2
    bits = torch.from_numpy(np.load(tmp_path / "x.npy")).view(torch.bfloat16).float()
    torch.testing.assert_close(bits, rows, rtol=1e-2, atol=1e-2)
    assert stored.variance == pytest.approx(float(rows.var(correction=0)), rel=1e-4)


def test_tiny_values_do_not_drown_in_subnormals(tmp_path: Path) -> None:
    rows = torch.randn(4, 50) * 1e-6
    file = TensorFile(tmp_path / "x.npy", (4, 50))
    file.append(rows)
    assert file.close().dtype == "bfloat16"
    bits = torch.from_numpy(np.load(tmp_path / "x.npy")).view(torch.bfloat16).float()
    torch.testing.assert_close(bits, rows, rtol=1e-2, atol=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_teacher_that_is_not_finite_is_refused(tmp_path: Path, bad: float) -> None:
    file = TensorFile(tmp_path / "x.npy", (1, 2))
    with pytest.raises(EvaluationError, match="finite"):
        file.append(torch.tensor([[1.0, bad]]))
    file.release()
