"""What the denoiser's cross-attention sees during calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from nas.domain.teacher import Conditioning
from nas.errors import CorruptArtifact, MissingExtra, NotFound, UntrustedFile
from nas.space.teachers.loaded import LoadedTeacher

ZERO_TOKENS = 77
"""Tokens of an all-zero conditioning: what CLIP's text encoder would give."""

_CAPTIONS_AT_ONCE = 32


def condition(loaded: LoadedTeacher, conditioning: Conditioning, count: int) -> Tensor:
    """Conditioning tokens for `count` samples, `count x L x D`.

    Embeddings and captions are dealt out in turn, so that each is seen equally often and the same
    specification always gives the same tokens.

    Raises:
        NotFound: If the file, or the pipeline's text encoder, is not there.
        CorruptArtifact: If stored embeddings do not have the teacher's width.
        MissingExtra: If captions need a text encoder and transformers is not installed.
    """
    if conditioning.kind == "captions":
        choices = _encoded(loaded, _captions(Path(conditioning.path)))
    elif conditioning.kind == "stored":
        choices = _stored(loaded, conditioning.path)
    else:
        choices = _null(loaded)
    return choices[torch.arange(count) % len(choices)]


def _null(loaded: LoadedTeacher) -> Tensor:
    """The teacher's own null embedding, else its text encoder's view of nothing, else zeros."""
    if "null" in loaded.conditioning:
        return _joined({"null": loaded.conditioning["null"]}, loaded.token_width)
    if loaded.folder.part("text_encoder") is not None and not loaded.ref.random_weights:
        return _encoded(loaded, [""])
    return torch.zeros(1, ZERO_TOKENS, loaded.token_width)


def _stored(loaded: LoadedTeacher, path: str) -> Tensor:
    if not path:
        if not loaded.conditioning:
            raise NotFound(f"{loaded.folder.root} stores no embeddings.", "Name a safetensors file in `path`.")
        return _joined(loaded.conditioning, loaded.token_width)
    if not Path(path).is_file():
        raise NotFound(f"There are no stored embeddings at {path!r}.")
    try:
        return _joined(load_file(path), loaded.token_width)
    except SafetensorError as error:
        raise CorruptArtifact(f"{path} is no sound safetensors file: {error}.", "Write it again.") from None


def _joined(embeddings: Mapping[str, Tensor], width: int) -> Tensor:
    """All embeddings (`L x D` or `N x L x D`) by name, `N x L x D`."""
    stacked = [
        tensor.float() if tensor.dim() == 3 else tensor.float()[None] for _, tensor in sorted(embeddings.items())
    ]
    shapes = {tuple(tensor.shape[1:]) for tensor in stacked}
    if len(shapes) != 1 or next(iter(shapes))[1:] != (width,):
        raise CorruptArtifact(
            f"Stored embeddings have shapes {sorted(shapes)}; the teacher takes tokens of width {width}.",
            "Every embedding must be L x D with the same L.",
        )
    return torch.cat(stacked)


def _captions(path: Path) -> list[str]:
    if not path.is_file():
        raise NotFound(f"There is no caption file at {str(path)!r}.", "One caption a line.")
    captions = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    captions = [caption for caption in captions if caption]
    if not captions:
        raise NotFound(f"{path} holds no captions.", "One caption a line.")
    return captions


def _encoded(loaded: LoadedTeacher, captions: Sequence[str]) -> Tensor:
    """Last hidden states of the pipeline's own CLIP text encoder, `N x L x D`, loaded for this call alone."""
    tokenizer, encoder = _text_encoder(loaded)
    states = []
    with torch.inference_mode():
        for start in range(0, len(captions), _CAPTIONS_AT_ONCE):
            tokens = tokenizer(
                list(captions[start : start + _CAPTIONS_AT_ONCE]),
                padding="max_length",
                max_length=encoder.config.max_position_embeddings,
                truncation=True,
                return_tensors="pt",
            )
            states.append(encoder(tokens.input_ids)[0].float())
    return _joined({"captions": torch.cat(states)}, loaded.token_width)


def _text_encoder(loaded: LoadedTeacher) -> tuple[Any, Any]:
    tokenizer, encoder = loaded.folder.part("tokenizer"), loaded.folder.part("text_encoder")
    if tokenizer is None or encoder is None:
        raise NotFound(f"{loaded.folder.root} has no text encoder.", "Use stored embeddings or a null prompt.")
    try:
        from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
    except ImportError:
        raise MissingExtra("Captions need transformers.", "Install the extra `captions`.") from None
    if loaded.ref.random_weights:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            network: Any = CLIPTextModel(CLIPTextConfig.from_pretrained(encoder, local_files_only=True))
    else:
        _require_safetensors(encoder)
        network = CLIPTextModel.from_pretrained(encoder, use_safetensors=True, local_files_only=True)
    return CLIPTokenizer.from_pretrained(tokenizer, local_files_only=True), network.float().eval()


def _require_safetensors(folder: Path) -> None:
    if not (folder / "model.safetensors").is_file():
        raise UntrustedFile(f"The text encoder in {folder} comes without model.safetensors.", "Convert it.")
