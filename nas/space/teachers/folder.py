"""A teacher's files: found, judged trustworthy, and identified, without torch.

Only JSON and safetensors are ever read. A hub name is fetched into the hub's own cache, and served
from there when the network is away.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.domain.teacher import TeacherRef
from nas.errors import CorruptArtifact, NotFound, UntrustedFile
from nas.reference import reference_teacher_folder

WEIGHTS = "diffusion_pytorch_model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
CONDITIONING = "conditioning.safetensors"
PARTS = ("vae", "scheduler", "text_encoder", "tokenizer")
"""Folders of a pipeline, besides `unet`, that change what a teacher computes."""

_PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_HUB_CONFIGS = ("config.json", "model_index.json", "*/config.json", "scheduler/*.json")
_HUB_WEIGHTS = (
    WEIGHTS,
    INDEX,
    "diffusion_pytorch_model-*-of-*.safetensors",
    f"unet/{WEIGHTS}",
    f"unet/{INDEX}",
    "unet/diffusion_pytorch_model-*-of-*.safetensors",
    f"vae/{WEIGHTS}",
    "text_encoder/model.safetensors",
    "tokenizer/*",
    CONDITIONING,
)
_CHUNK = 1 << 22
_OFFLINE: ContextVar[bool] = ContextVar("offline", default=False)
_RANDOM = b"random weights"


@dataclass(frozen=True)
class TeacherFolder:
    """Where the parts of a teacher lie.

    Attributes:
        root: The pipeline's folder, or the U-Net's own.
        unet: Folder of the U-Net's `config.json`.
    """

    root: Path
    unet: Path

    def part(self, name: str) -> Path | None:
        """Folder of a part of the pipeline, if it is there."""
        path = self.root / name
        return path if self.root != self.unet and path.is_dir() else None

    @property
    def conditioning(self) -> Path | None:
        """Stored embeddings, if there are any."""
        path = self.root / CONDITIONING
        return path if path.is_file() else None


@contextmanager
def offline(wanted: bool = True) -> Iterator[None]:
    """Find hub names in the hub's cache alone while the block runs: a server fetches nothing for strangers."""
    before = _OFFLINE.set(wanted)
    try:
        yield
    finally:
        _OFFLINE.reset(before)


def teacher_folder(ref: TeacherRef, *, weights: bool = True) -> TeacherFolder:
    """Find a teacher's folder; a hub name is downloaded first.

    Args:
        ref: What was asked for.
        weights: Whether weights will be needed; False fetches configurations only.

    Raises:
        NotFound: If there is no such folder, or the hub does not have it or cannot be reached.
    """
    root = reference_teacher_folder() if ref.source == "reference" else Path(ref.source).expanduser()
    if not root.is_dir():
        if ref.source == "reference" or not _HUB_NAME.fullmatch(ref.source):
            raise NotFound(f"There is no teacher at {ref.source!r}.", "Give `reference`, a folder or a hub name.")
        root = _from_hub(ref, weights and not ref.random_weights)
    for unet in (root / "unet", root):
        if (unet / "config.json").is_file():
            return TeacherFolder(root, unet)
    raise NotFound(
        f"{ref.source!r} holds neither config.json nor unet/config.json.",
        "Give a diffusers pipeline or U-Net folder; a single checkpoint file has to be converted first.",
    )


def teacher_config(ref: TeacherRef) -> dict[str, Any]:
    """The U-Net's `config.json`. Light: no torch, and from the hub only configurations are fetched.

    Raises:
        NotFound: If there is no such teacher.
        CorruptArtifact: If the file is no JSON object; fetch it again.
    """
    return read_json(teacher_folder(ref, weights=False).unet / "config.json")


def fingerprint(ref: TeacherRef) -> str:
    """SHA-256 over everything that decides what a teacher computes, wherever its files lie.

    With random weights: over the configurations and a constant.

    Raises:
        NotFound: If there is no such teacher or it has no weights.
        UntrustedFile: If its weights are pickled.
    """
    folder = teacher_folder(ref)
    total = hashlib.sha256()
    if ref.random_weights:
        total.update(_RANDOM)
    else:
        weight_files(folder.unet)
    for name, path in _identity(folder, configs_only=ref.random_weights):
        total.update(name.encode() + b"\0" + _digest(path))
    return total.hexdigest()


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Safetensors files of a network, one or several shards.

    Raises:
        UntrustedFile: If there are only pickled weights, or an index names any.
        NotFound: If there are no weights, or a shard is missing.
        CorruptArtifact: If the index is no index.
    """
    if (folder / WEIGHTS).is_file():
        return (folder / WEIGHTS,)
    if (folder / INDEX).is_file():
        return _shards(folder)
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if pickles:
        raise UntrustedFile(
            f"The only weights in {folder} are {', '.join(pickles)}: loading them could execute code.",
            "Convert them to safetensors.",
        )
    raise NotFound(f"There are no weights in {folder}.", f"Expected {WEIGHTS}; or ask for random weights.")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        CorruptArtifact: If it is none.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CorruptArtifact(f"{path} is no JSON: {error}.", "Fetch the file again.") from None
    if not isinstance(document, dict):
        raise CorruptArtifact(f"{path} holds no JSON object.", "Fetch the file again.")
    return document


def _shards(folder: Path) -> tuple[Path, ...]:
    names = read_json(folder / INDEX).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise CorruptArtifact(f"{folder / INDEX} lists no weights.", "Fetch the file again.")
    shards = sorted({str(name) for name in names.values()})
    strange = [name for name in shards if not name.endswith(".safetensors") or Path(name).name != name]
    if strange:
        raise UntrustedFile(
            f"{folder / INDEX} names {', '.join(strange)}.", "Shards are safetensors beside the index."
        )
    missing = [name for name in shards if not (folder / name).is_file()]
    if missing:
        raise NotFound(f"{folder} lacks the shards {', '.join(missing)}.", "Fetch them again.")
    return tuple(folder / name for name in shards)


def _identity(folder: TeacherFolder, *, configs_only: bool) -> Iterator[tuple[str, Path]]:
    """`(name, file)` in a fixed order; the U-Net is `unet` also where it lies alone."""
    parts = {"unet": folder.unet} | {name: path for name in PARTS if (path := folder.part(name))}
    suffixes = (".json",) if configs_only else (".json", ".safetensors", ".txt", ".model")
    for name, path in sorted(parts.items()):
        for file in sorted(path.iterdir()):
            if file.suffix in suffixes and file.name not in (CONDITIONING, "model_index.json"):
                yield f"{name}/{file.name}", file
    if folder.conditioning is not None:
        yield CONDITIONING, folder.conditioning


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()


def _from_hub(ref: TeacherRef, weights: bool) -> Path:
    from huggingface_hub import snapshot_download

    patterns = [*_HUB_CONFIGS, *(_HUB_WEIGHTS if weights else (CONDITIONING,))]

    def download(local: bool) -> str:
        return str(
            snapshot_download(
                ref.source, revision=ref.revision or None, allow_patterns=patterns, local_files_only=local
            )
        )

    reason = "this server fetches nothing by itself"
    if not _OFFLINE.get():
        try:
            return Path(download(local=False))
        except Exception as unreachable:  # the hub's client leaks errors of several HTTP libraries
            reason = type(unreachable).__name__
    try:
        return Path(download(local=True))
    except Exception:
        raise NotFound(
            f"The hub could not give {ref.source!r} ({reason}) and it is not in the cache.",
            "Check the name, the revision and the network; a gated repository needs a login.",
        ) from None
