"""From a `TeacherRef` to networks in memory: the staged denoiser, its VAE and its noise schedule.

Everything is loaded in single precision, frozen, in evaluation mode, from safetensors alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, DDIMScheduler
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from nas.domain.teacher import TeacherRef
from nas.errors import CorruptArtifact, InvalidSearchSpace
from nas.reference.autoencoder import PatchAutoencoderKL
from nas.space.teachers import unet2d_condition
from nas.space.teachers.base import TEACHER_FAMILIES, StagedDenoiser, TeacherFamily
from nas.space.teachers.conditioning import condition
from nas.space.teachers.folder import (
    TeacherFolder,
    fingerprint,
    read_json,
    teacher_config,
    teacher_folder,
    weight_files,
)
from nas.space.teachers.loaded import LoadedTeacher

__all__ = [
    "FAMILY_MODULES",
    "LoadedTeacher",
    "autoencoder_from_config",
    "condition",
    "denoiser_from_config",
    "family_of",
    "fingerprint",
    "load",
    "teacher_config",
]

FAMILY_MODULES = (unet2d_condition,)
"""Importing them registers the teacher families; a new one costs its file and one line here."""

RANDOM_SEED = 0
"""Seed of weights drawn at random: one configuration, one network."""

_NOISE_SCHEDULE: Any = DDIMScheduler
_AUTOENCODERS: dict[str, Any] = {"AutoencoderKL": AutoencoderKL, "PatchAutoencoderKL": PatchAutoencoderKL}


def load(ref: TeacherRef, device: str | torch.device = "cpu") -> LoadedTeacher:
    """Load a teacher.

    Args:
        ref: What to load.
        device: Where the denoiser and the VAE go.

    Raises:
        NotFound: If there is no such teacher, or the hub cannot be reached.
        UntrustedFile: If its weights are pickled; convert them to safetensors.
        CorruptArtifact: If a file is damaged or does not fit its configuration; fetch it again.
        InvalidSearchSpace: If the network cannot be cut into stages; names the fields.
    """
    folder = teacher_folder(ref)
    config = read_json(folder.unet / "config.json")
    family = family_of(config)
    family.require_supported(config)
    network = _network(family.network_type(), folder.unet, ref.random_weights)
    return LoadedTeacher(
        ref=ref,
        folder=folder,
        config=config,
        denoiser=family.stage(_frozen(network, device)),
        vae=_vae(folder, ref.random_weights, device),
        scheduler=_scheduler(folder),
        conditioning=_stored(folder),
    )


def denoiser_from_config(config: Mapping[str, Any], device: str = "meta") -> StagedDenoiser:
    """A staged denoiser without loaded weights; on the meta device it allocates nothing.

    Raises:
        InvalidSearchSpace: If no teacher family takes the configuration, or it is no valid network.
    """
    family = family_of(config)
    family.require_supported(config)
    return family.stage(_built(family.network_type(), config, device))


def autoencoder_from_config(config: Mapping[str, Any], device: str = "meta") -> nn.Module:
    """A VAE without loaded weights; on the meta device it allocates nothing.

    Raises:
        InvalidSearchSpace: If it is no supported VAE, or no valid network.
    """
    return _built(_autoencoder_type(config), config, device)


def family_of(config: Mapping[str, Any]) -> TeacherFamily:
    """The teacher family that takes a `config.json`.

    Raises:
        InvalidSearchSpace: If there is none.
    """
    for _, family in TEACHER_FAMILIES:
        if family.accepts(config):
            return family
    raise InvalidSearchSpace(
        f"No teacher family takes a {config.get('_class_name', 'network without _class_name')}.",
        f"Known families: {', '.join(TEACHER_FAMILIES.names())}.",
    )


def _network(network_type: Any, folder: Path, random_weights: bool) -> nn.Module:
    config = read_json(folder / "config.json")
    _built(network_type, config, "meta")  # a bad configuration is told before gigabytes are read
    if random_weights:
        return _built(network_type, config, "cpu")
    for file in weight_files(folder):
        _require_sound(file)
    verbosity = diffusers.utils.logging.get_verbosity()
    diffusers.utils.logging.set_verbosity_error()  # what is missing is reported below, in one sentence
    try:
        network, report = network_type.from_pretrained(
            folder, torch_dtype=torch.float32, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
        raise CorruptArtifact(
            f"The weights in {folder} do not fit: {_one_line(error)}.", "Fetch them again."
        ) from None
    finally:
        diffusers.utils.logging.set_verbosity(verbosity)
    wrong = [*report["missing_keys"], *(str(key) for key in report["mismatched_keys"])]
    if wrong:
        raise CorruptArtifact(
            f"The weights in {folder} lack {len(wrong)} tensors, {wrong[0]} first.", "Fetch them again."
        )
    loaded: nn.Module = network
    return loaded


def _built(network_type: Any, config: Mapping[str, Any], device: str) -> nn.Module:
    try:
        with torch.random.fork_rng(devices=()), torch.device(device):
            torch.manual_seed(RANDOM_SEED)
            network: nn.Module = network_type.from_config(dict(config))
    except (ValueError, TypeError, RuntimeError, AttributeError, IndexError, ZeroDivisionError) as error:
        raise InvalidSearchSpace(f"The teacher's config.json is no valid network: {_one_line(error)}.") from None
    return network


def _vae(folder: TeacherFolder, random_weights: bool, device: str | torch.device) -> nn.Module | None:
    part = folder.part("vae")
    if part is None:
        return None
    network_type = _autoencoder_type(read_json(part / "config.json"))
    return _frozen(_network(network_type, part, random_weights), device)


def _autoencoder_type(config: Mapping[str, Any]) -> Any:
    name = config.get("_class_name")
    if name not in _AUTOENCODERS:
        raise InvalidSearchSpace(f"The VAE is a {name}.", f"Supported: {', '.join(_AUTOENCODERS)}.")
    return _AUTOENCODERS[name]


def _scheduler(folder: TeacherFolder) -> Any:
    part = folder.part("scheduler")
    if part is None:  # Stable Diffusion's schedule, which every supported bare U-Net was trained with
        return _NOISE_SCHEDULE(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False)
    config = read_json(part / "scheduler_config.json")
    name = str(config.get("_class_name", ""))
    if not hasattr(diffusers, name) or "FlowMatch" in name:
        raise InvalidSearchSpace(f"The teacher's scheduler is a {name}.", "Supported are variance-preserving ones.")
    return _NOISE_SCHEDULE.from_config(config)


def _stored(folder: TeacherFolder) -> dict[str, Tensor]:
    if folder.conditioning is None:
        return {}
    _require_sound(folder.conditioning)
    return {name: tensor.float() for name, tensor in load_file(folder.conditioning).items()}


def _require_sound(file: Path) -> None:
    try:
        with safe_open(file, framework="pt") as opened:
            opened.keys()
    except (SafetensorError, OSError) as error:
        raise CorruptArtifact(
            f"{file} is no sound safetensors file: {_one_line(error)}.", "Fetch it again."
        ) from None


def _frozen(network: nn.Module, device: str | torch.device) -> nn.Module:
    return network.requires_grad_(False).eval().to(device)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
