from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from nas.domain.teacher import TeacherRef
from nas.errors import CorruptArtifact, InvalidSearchSpace, NasError, NotFound, UntrustedFile
from nas.space.teachers.folder import WEIGHTS
from nas.space.teachers.load import fingerprint, load, teacher_config
from tests.nas.space.networks import BK_SMALL, SD15, SD15_16, narrow, network, noisy, write_config, write_pipeline

CONFIG = narrow(SD15_16)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pipeline(tmp_path_factory.mktemp("pipeline"), CONFIG)


@pytest.fixture
def pipeline(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "teacher"))


def ref(folder: Path, **changes: bool) -> TeacherRef:
    return TeacherRef(source=str(folder), **changes)


@torch.no_grad()
def test_a_pipeline_folder_gives_all_parts(pipeline: Path) -> None:
    teacher = load(ref(pipeline))
    sample, timestep, context = noisy(CONFIG)
    expected = UNet2DConditionModel.from_pretrained(pipeline / "unet", torch_dtype=torch.float32)
    assert torch.equal(teacher.denoiser(sample, timestep, context), expected(sample, timestep, context).sample)
    assert teacher.vae.config.latent_channels == teacher.latent_channels == 16
    assert teacher.scheduler.config.prediction_type == "v_prediction"
    assert teacher.sample_size == 16
    assert sorted(teacher.conditioning) == ["first", "null", "second"]
    assert not any(parameter.requires_grad for parameter in teacher.denoiser.parameters())


def test_noise_is_added_on_the_teachers_own_schedule(pipeline: Path) -> None:
    scheduler = load(ref(pipeline)).scheduler
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    kept = torch.cumprod(1 - betas, 0)[500]
    noised = scheduler.add_noise(torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), torch.tensor([500]))
    assert noised.item() == pytest.approx(kept.sqrt().item(), rel=1e-5)


def test_a_bare_unet_folder_is_a_teacher_without_a_vae(pipeline: Path) -> None:
    teacher = load(ref(pipeline / "unet"))
    assert teacher.vae is None
    assert teacher.scheduler.config.prediction_type == "epsilon"
    assert teacher.conditioning == {}


def test_sharded_weights_are_read(tmp_path: Path) -> None:
    teacher = network(CONFIG)
    teacher.save_pretrained(tmp_path, max_shard_size="100KB")
    assert not (tmp_path / WEIGHTS).exists()
    sample, timestep, context = noisy(CONFIG)
    with torch.no_grad():
        made = load(ref(tmp_path)).denoiser(sample, timestep, context)
        assert torch.equal(made, teacher(sample, timestep, context).sample)


def test_pickled_weights_are_refused_and_never_opened(pipeline: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, ("import pathlib; pathlib.Path('exploded').touch()",)

    (pipeline / "unet" / WEIGHTS).unlink()
    (pipeline / "unet" / "diffusion_pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    for attempt in (load, fingerprint):
        with pytest.raises(UntrustedFile, match=r"diffusion_pytorch_model\.bin"):
            attempt(ref(pipeline))
    assert not Path("exploded").exists()


def test_pickles_beside_safetensors_are_ignored(pipeline: Path) -> None:
    before = fingerprint(ref(pipeline))
    (pipeline / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"anything")
    load(ref(pipeline))
    assert fingerprint(ref(pipeline)) == before


def test_an_index_that_names_pickles_or_other_folders_is_refused(tmp_path: Path) -> None:
    for shard in ("model.bin", "../elsewhere.safetensors"):
        folder = write_config(tmp_path, CONFIG)
        (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": {"conv_in.weight": shard}}))
        with pytest.raises(UntrustedFile):
            load(ref(folder))


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
def test_damaged_safetensors_are_corrupt(pipeline: Path, damage: str) -> None:
    file = pipeline / "unet" / WEIGHTS
    whole = file.read_bytes()
    file.write_bytes({"truncated": whole[: len(whole) // 2], "garbage": b"\xff" * 64, "empty": b""}[damage])
    with pytest.raises(CorruptArtifact):
        load(ref(pipeline))


@pytest.mark.parametrize("fault", ["missing", "misshapen"])
def test_weights_that_do_not_fit_their_configuration_are_corrupt(pipeline: Path, fault: str) -> None:
    file = pipeline / "unet" / WEIGHTS
    state = load_file(file)
    if fault == "missing":
        del state["mid_block.resnets.0.conv1.weight"]
    else:
        state["mid_block.resnets.0.conv1.weight"] = torch.zeros(3, 3, 3, 3)
    save_file(state, file)
    with pytest.raises(CorruptArtifact):
        load(ref(pipeline))


@pytest.mark.parametrize("text", ["{", "[]", '"text"', "\ufeff"])
def test_a_broken_configuration_is_corrupt(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    for attempt in (teacher_config, load):
        with pytest.raises(CorruptArtifact):
            attempt(ref(tmp_path))


@pytest.mark.parametrize(
    "changes",
    [
        {"block_out_channels": [10, 20, 30]},
        {"norm_num_groups": 7},
        {"layers_per_block": "many"},
        {"_class_name": "X"},
    ],
)
def test_a_configuration_that_is_no_network_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    folder = write_config(tmp_path, {**CONFIG, **changes})
    with pytest.raises(InvalidSearchSpace):
        load(ref(folder, random_weights=True))


def test_unsupported_parts_are_named_before_weights_are_asked_for(tmp_path: Path) -> None:
    folder = write_config(tmp_path, {**CONFIG, "addition_embed_type": "text_time"})
    with pytest.raises(InvalidSearchSpace, match="addition_embed_type"):
        load(ref(folder))


def test_a_configuration_alone_needs_random_weights(tmp_path: Path) -> None:
    folder = write_config(tmp_path, narrow(BK_SMALL))
    with pytest.raises(NotFound, match="random"):
        load(ref(folder))
    with pytest.raises(NotFound):
        fingerprint(ref(folder))
    first, second = (load(ref(folder, random_weights=True)).denoiser.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_random_weights_leave_the_global_generator_alone(tmp_path: Path) -> None:
    folder = write_config(tmp_path, narrow(SD15))
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    load(ref(folder, random_weights=True))
    assert torch.equal(torch.rand(1), expected)


def test_a_fingerprint_follows_contents_and_not_the_place(pipeline: Path, tmp_path: Path) -> None:
    first = fingerprint(ref(pipeline))
    moved = Path(shutil.copytree(pipeline, tmp_path / "elsewhere"))
    assert fingerprint(ref(moved)) == first
    assert len(first) == 64
    seen = {first, fingerprint(ref(pipeline, random_weights=True))}
    for changed in (
        "unet/config.json",
        f"unet/{WEIGHTS}",
        "scheduler/scheduler_config.json",
        "conditioning.safetensors",
    ):
        with (moved / changed).open("ab") as file:
            file.write(b" ")
        seen.add(fingerprint(ref(moved)))
    assert len(seen) == 6


def test_what_does_not_exist_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "empty").mkdir()
    for source in ("nowhere at all", str(tmp_path / "empty"), str(tmp_path / "missing"), "somebody/something"):
        for attempt in (teacher_config, load, fingerprint):
            with pytest.raises(NotFound) as caught:
                attempt(TeacherRef(source=source))
            assert isinstance(caught.value, NasError)
            assert caught.value.hint


def test_a_hub_name_is_served_from_the_cache_when_the_network_is_away(
    pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    repository, commit = tmp_path / "cache" / "models--somebody--something", "0" * 40
    shutil.copytree(pipeline, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    hub = TeacherRef(source="somebody/something")
    assert teacher_config(hub)["in_channels"] == 16
    assert fingerprint(hub) == fingerprint(ref(pipeline))
    assert load(hub).vae is not None
