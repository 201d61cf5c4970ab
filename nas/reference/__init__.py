"""The reference teacher: a small latent diffusion model with the stage layout of Stable Diffusion 1.5.

It exists so that everything in Blocksmith can be run, tested and measured offline on a laptop. Weights lie in
`weights/`, the recipe that made them beside it. This package imports nothing of the search, and importing it alone
does not load torch.
"""

from __future__ import annotations

from pathlib import Path


def reference_teacher_folder() -> Path:
    """Return the folder of the shipped teacher, in diffusers layout."""
    return Path(__file__).parent / "weights"
