from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from nas.domain.teacher import Conditioning, TeacherRef
from nas.errors import CorruptArtifact, NotFound, UntrustedFile
from nas.space.teachers.load import LoadedTeacher, condition, load
from tests.nas.space.networks import SD15_16, narrow, write_config, write_pipeline

CONFIG = narrow(SD15_16)
WIDTH = CONFIG["cross_attention_dim"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> LoadedTeacher:
    return load(TeacherRef(source=str(write_pipeline(tmp_path_factory.mktemp("stored"), CONFIG))))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> LoadedTeacher:
    folder = write_config(tmp_path_factory.mktemp("bare"), CONFIG)
    return load(TeacherRef(source=str(folder), random_weights=True))


@pytest.fixture(scope="module")
def captioning(tmp_path_factory: pytest.TempPathFactory) -> LoadedTeacher:
    transformers = pytest.importorskip("transformers")
    folder = write_pipeline(tmp_path_factory.mktemp("captions"), CONFIG)
    (folder / "conditioning.safetensors").unlink()
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\n")
    transformers.CLIPTokenizer(
        str(folder / "tokenizer" / "vocab.json"), str(folder / "tokenizer" / "merges.txt")
    ).save_pretrained(folder / "tokenizer")
    shape = {"hidden_size": WIDTH, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    torch.manual_seed(0)
    config = transformers.CLIPTextConfig(vocab_size=len(tokens), max_position_embeddings=9, **shape)
    transformers.CLIPTextModel(config).save_pretrained(folder / "text_encoder")
    return load(TeacherRef(source=str(folder)))


def test_the_null_prompt_is_the_teachers_stored_null_embedding(stored: LoadedTeacher) -> None:
    assert torch.equal(condition(stored, Conditioning(), 3), stored.conditioning["null"].expand(3, 5, WIDTH))


def test_without_any_embedding_or_encoder_the_null_prompt_is_zero(bare: LoadedTeacher) -> None:
    tokens = condition(bare, Conditioning(), 2)
    assert tokens.shape == (2, 77, WIDTH)
    assert not tokens.any()


def test_stored_embeddings_are_dealt_out_in_turn(stored: LoadedTeacher) -> None:
    tokens = condition(stored, Conditioning(kind="stored"), 7)
    assert tokens[:, 0, 0].tolist() == [1.0, 0.0, 2.0, 1.0, 0.0, 2.0, 1.0]


def test_embeddings_are_read_from_a_file_of_ones_own(stored: LoadedTeacher, tmp_path: Path) -> None:
    save_file(
        {"many": torch.arange(2.0)[:, None, None].expand(2, 3, WIDTH).contiguous()}, tmp_path / "own.safetensors"
    )
    own = Conditioning(kind="stored", path=str(tmp_path / "own.safetensors"))
    assert condition(stored, own, 4)[:, 2, 1].tolist() == [0.0, 1.0, 0.0, 1.0]


def test_embeddings_of_another_width_or_length_are_refused(stored: LoadedTeacher, tmp_path: Path) -> None:
    file = tmp_path / "bad.safetensors"
    for shapes in ([(4, WIDTH + 1)], [(4, WIDTH), (5, WIDTH)], [(WIDTH,)]):
        save_file({str(i): torch.zeros(shape) for i, shape in enumerate(shapes)}, file)
        with pytest.raises(CorruptArtifact):
            condition(stored, Conditioning(kind="stored", path=str(file)), 1)
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(CorruptArtifact):
        condition(stored, Conditioning(kind="stored", path=str(file)), 1)


def test_what_is_missing_is_not_found(bare: LoadedTeacher, tmp_path: Path) -> None:
    (tmp_path / "blank.txt").write_text("\n \n")
    (tmp_path / "one.txt").write_text("a cat\n")
    for wanted in (
        Conditioning(kind="stored"),
        Conditioning(kind="stored", path=str(tmp_path / "missing.safetensors")),
        Conditioning(kind="captions"),
        Conditioning(kind="captions", path=str(tmp_path / "missing.txt")),
        Conditioning(kind="captions", path=str(tmp_path / "blank.txt")),
        Conditioning(kind="captions", path=str(tmp_path / "one.txt")),
    ):
        with pytest.raises(NotFound):
            condition(bare, wanted, 1)


def test_captions_go_through_the_pipelines_own_text_encoder(captioning: LoadedTeacher, tmp_path: Path) -> None:
    (tmp_path / "captions.txt").write_text("a cat\n\n  a dog \n")
    tokens = condition(captioning, Conditioning(kind="captions", path=str(tmp_path / "captions.txt")), 3)
    assert tokens.shape == (3, 9, WIDTH)
    assert torch.equal(tokens[0], tokens[2])
    assert not torch.equal(tokens[0], tokens[1])
    assert not torch.equal(tokens[0], condition(captioning, Conditioning(), 1)[0])


def test_the_empty_prompt_is_encoded_where_no_embedding_is_stored(captioning: LoadedTeacher) -> None:
    assert condition(captioning, Conditioning(), 2).abs().sum() > 0


def test_a_pickled_text_encoder_is_refused(captioning: LoadedTeacher) -> None:
    weights = captioning.folder.root / "text_encoder" / "model.safetensors"
    hidden = weights.rename(weights.with_suffix(".hidden"))
    (weights.parent / "pytorch_model.bin").write_bytes(b"")
    try:
        with pytest.raises(UntrustedFile):
            condition(captioning, Conditioning(), 1)
    finally:
        hidden.rename(weights)
