"""The winner as a diffusers model: same numbers, no teacher weights left behind, nothing executed on loading."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler

from nas.adaptation.compressed_unet import CompressedUNet2DConditionModel
from nas.adaptation.export import load_exported, save_pipeline
from nas.space.blocks.catalogue import build_block
from nas.space.teachers.load import LoadedTeacher, load
from tests.builders.tiny_unet import make_teacher

ARCHITECTURE = {"E1": "RA", "E2": "removed", "Mid": "removed", "D2": "removed", "D1": "dwsep"}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> LoadedTeacher:
    return load(make_teacher(tmp_path_factory.mktemp("teacher")))


@pytest.fixture(scope="module")
def exported(teacher: LoadedTeacher, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.Tensor]:
    stages = {stage.name: stage for stage in teacher.denoiser.stages}
    blocks = {s: build_block(stages[s], teacher.denoiser.block(s), v) for s, v in ARCHITECTURE.items()}
    for block in blocks.values():  # as if distilled: no longer what building makes of the teacher
        for parameter in block.parameters():
            torch.nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(1))
    network = teacher.denoiser.with_blocks(blocks).eval()
    folder = tmp_path_factory.mktemp("export") / "winner"
    save_pipeline(CompressedUNet2DConditionModel.of(network, teacher.config, ARCHITECTURE), teacher, folder)
    with torch.no_grad():
        return folder, network(*_inputs())


def _inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(2, 4, 8, 8, generator=generator),
        torch.tensor([10, 900]),
        torch.randn(2, 3, 8, generator=generator),
    )


def test_a_loaded_export_computes_the_same_bit_for_bit(exported: tuple[Path, torch.Tensor]) -> None:
    folder, expected = exported
    with torch.no_grad():
        assert torch.equal(load_exported(folder)(*_inputs()).sample, expected)


def test_it_is_called_like_its_teacher_with_a_plain_number_as_timestep(exported: tuple[Path, torch.Tensor]) -> None:
    folder, _ = exported
    sample, _, context = _inputs()
    with torch.no_grad():
        (prediction,) = load_exported(folder)(sample, 10, context, return_dict=False)
    assert prediction.shape == sample.shape


def test_an_argument_it_would_have_to_ignore_is_refused(exported: tuple[Path, torch.Tensor]) -> None:
    folder, _ = exported
    with pytest.raises(TypeError, match="mid_block_additional_residual"):
        load_exported(folder)(*_inputs(), mid_block_additional_residual=torch.zeros(1))


def test_removed_stages_leave_no_weights(exported: tuple[Path, torch.Tensor], teacher: LoadedTeacher) -> None:
    model = load_exported(exported[0])
    assert not any(name.startswith("denoiser.blocks.Mid") for name in model.state_dict())
    assert sum(p.numel() for p in model.parameters()) < sum(p.numel() for p in teacher.denoiser.parameters()) / 2


def test_the_folder_holds_only_json_and_safetensors(exported: tuple[Path, torch.Tensor]) -> None:
    suffixes = {file.suffix for file in exported[0].rglob("*") if file.is_file()}
    assert suffixes == {".json", ".safetensors"}


def test_the_scheduler_comes_along(exported: tuple[Path, torch.Tensor], teacher: LoadedTeacher) -> None:
    scheduler = DDIMScheduler.from_pretrained(exported[0] / "scheduler")
    assert scheduler.config.beta_schedule == teacher.scheduler.config.beta_schedule


def test_exporting_again_replaces_the_whole_folder(
    exported: tuple[Path, torch.Tensor], teacher: LoadedTeacher
) -> None:
    folder, _ = exported
    (folder / "stale.json").write_text("{}")
    save_pipeline(load_exported(folder), teacher, folder)
    assert not (folder / "stale.json").exists()
    assert not folder.with_name(folder.name + ".part").exists()
