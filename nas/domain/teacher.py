"""Which network is compressed, and on what it is imitated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nas.domain.value import Value


class TeacherRef(Value):
    """Names a teacher; resolved once, at submission.

    Attributes:
        source: `reference`, a folder in diffusers layout, or a hub name such as
            `stable-diffusion-v1-5/stable-diffusion-v1-5`. Safetensors only.
        revision: Commit of a hub repository; empty for the default.
        random_weights: Build the network from its configuration alone. For cost studies and tests.
        fingerprint: SHA-256 over configuration and weights; empty until resolved. Part of every
            cache key, so that two teachers never share a block.
    """

    source: Annotated[str, Field(min_length=1, max_length=512)] = "reference"
    revision: Annotated[str, Field(max_length=128)] = ""
    random_weights: bool = False
    fingerprint: str = ""


class Conditioning(Value):
    """What the denoiser's cross-attention sees during calibration.

    Attributes:
        kind: `null` is the empty prompt (the teacher's stored null embedding, else its text encoder on
            an empty caption, else zeros); `stored` reads embeddings from a safetensors file; `captions`
            runs the pipeline's own text encoder over a text file, one caption a line.
        path: The file of `stored` or `captions`; empty means the teacher's own stored embeddings.
    """

    kind: Literal["null", "stored", "captions"] = "null"
    path: Annotated[str, Field(max_length=4096)] = ""


class Calibration(Value):
    """The noisy latents on which features are captured and fidelity is judged.

    Timesteps are stratified: the schedule is cut into `bands` equal bands and samples take them in
    turn, so that no band is left to luck.

    Attributes:
        source: `reference` are the pictures inside the package's dependencies plus dead leaves;
            `images` a folder of pictures, encoded by the teacher's VAE; `gaussian` unit normal
            latents, for teachers that come without a VAE.
        path: The folder of `images`.
        samples: Noisy latents used for distillation.
        holdout: Further noisy latents, other pictures and noises, used to judge candidates.
        latent_size: Height and width of a latent; 0 means the teacher's own sample size.
        bands: Number of timestep bands.
        seed: Seed of crops, noises and timesteps.
    """

    source: Literal["reference", "images", "gaussian"] = "reference"
    path: Annotated[str, Field(max_length=4096)] = ""
    samples: Annotated[int, Field(ge=1, le=1_000_000)] = 192
    holdout: Annotated[int, Field(ge=1, le=100_000)] = 64
    latent_size: Annotated[int, Field(ge=0, le=1024)] = 16
    bands: Annotated[int, Field(ge=1, le=1000)] = 8
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    conditioning: Conditioning = Conditioning()
