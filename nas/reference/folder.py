"""The folder of a finished teacher in diffusers layout: write it in half precision, read it in single precision."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path

import diffusers
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from nas.errors import NotFound
from nas.reference.autoencoder import PatchAutoencoderKL

CONDITIONING_FILE = "conditioning.safetensors"


@dataclass(frozen=True)
class ReferenceTeacher:
    """A loaded teacher, in float32 and evaluation mode.

    Attributes:
        autoencoder: Pixels in [-1, 1] to latents and back.
        unet: Predicts noise in scaled latents.
        scheduler: The noise schedule.
        conditions: Stored embeddings by name, `tokens x token_width`.
    """

    autoencoder: PatchAutoencoderKL
    unet: UNet2DConditionModel
    scheduler: DDIMScheduler
    conditions: dict[str, Tensor]


def save_autoencoder(autoencoder: PatchAutoencoderKL, folder: Path) -> None:
    """Write `vae/`, weights rounded to float16."""
    copy.deepcopy(autoencoder).half().save_pretrained(folder / "vae")
    _forget_origin(folder / "vae" / "config.json")


def save_unet(unet: UNet2DConditionModel, folder: Path) -> None:
    """Write `unet/`, weights rounded to float16."""
    copy.deepcopy(unet).half().to(memory_format=torch.contiguous_format).save_pretrained(folder / "unet")
    _forget_origin(folder / "unet" / "config.json")


def save_rest(scheduler: DDIMScheduler, conditions: dict[str, Tensor], folder: Path) -> None:
    """Write `scheduler/`, the conditions and a `model_index.json` for a pipeline that is given its embeddings."""
    folder.mkdir(parents=True, exist_ok=True)
    scheduler.save_pretrained(folder / "scheduler")
    save_file({name: value.contiguous() for name, value in conditions.items()}, folder / CONDITIONING_FILE)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": diffusers.__version__,
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": [None, None],
        "tokenizer": [None, None],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": [PatchAutoencoderKL.__module__, PatchAutoencoderKL.__name__],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def load_autoencoder(folder: Path) -> PatchAutoencoderKL:
    """Read `vae/` as float32."""
    network: PatchAutoencoderKL = PatchAutoencoderKL.from_pretrained(
        _existing(folder / "vae"), torch_dtype=torch.float32
    )
    network.eval()
    return network


def load_unet(folder: Path) -> UNet2DConditionModel:
    """Read `unet/` as float32."""
    network = UNet2DConditionModel.from_pretrained(_existing(folder / "unet"), torch_dtype=torch.float32)
    return network.eval()


def load_teacher(folder: Path) -> ReferenceTeacher:
    """Read a whole teacher.

    Raises:
        NotFound: When a part of the folder is missing; train a teacher or name the right folder.
    """
    return ReferenceTeacher(
        load_autoencoder(folder),
        load_unet(folder),
        DDIMScheduler.from_pretrained(_existing(folder / "scheduler")),
        load_file(_existing(folder / CONDITIONING_FILE)),
    )


def _forget_origin(file: Path) -> None:
    """Drop the path that diffusers notes in the configuration of a network it once loaded."""
    configuration = json.loads(file.read_text())
    configuration.pop("_name_or_path", None)
    file.write_text(json.dumps(configuration, indent=2) + "\n")


def _existing(path: Path) -> Path:
    """Return the path or fail with a hint; diffusers would try to download instead."""
    if not path.exists():
        raise NotFound(f"{path} does not exist.", "A teacher folder holds vae/, unet/, scheduler/ and conditioning.")
    return path
