"""The arithmetic of a diffusion process: noising, what a prediction says of the clean latent, and the whole way back.

Formulas: Ho et al., NeurIPS 2020 (noise prediction), Salimans & Ho, ICLR 2022 (velocity), Song et al., ICLR 2021 (the
deterministic steps of DDIM).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nas.errors import InvalidSearchSpace

Denoise = Callable[[Tensor, Tensor], Tensor]
"""`(noisy B x C x H x W, timesteps B)` to a prediction."""

PREDICTIONS = ("epsilon", "v_prediction", "sample")


class NoiseSchedule:
    """Signal and noise at every timestep of a teacher's own schedule.

    Args:
        scheduler: A `DDIMScheduler`, as loading a teacher gives it.
        device: Where to compute.

    Raises:
        InvalidSearchSpace: If its predictions are of an unknown kind.
    """

    def __init__(self, scheduler: Any, device: torch.device | None = None) -> None:
        self.signal_share: Tensor = scheduler.alphas_cumprod.to(device or torch.device("cpu"), torch.float32)
        self.prediction: str = scheduler.config.prediction_type
        if self.prediction not in PREDICTIONS:
            raise InvalidSearchSpace(
                f"The scheduler predicts {self.prediction!r}.", f"Known are {', '.join(PREDICTIONS)}."
            )

    @property
    def horizon(self) -> int:
        """Number of timesteps; the last one is `horizon - 1`."""
        return len(self.signal_share)

    def noised(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Clean latents at the noise levels of `B` timesteps."""
        signal, spread = self._weights(timesteps)
        return signal * clean + spread * noise

    def target(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the network is asked to predict."""
        signal, spread = self._weights(timesteps)
        return {"epsilon": noise, "v_prediction": signal * noise - spread * clean, "sample": clean}[self.prediction]

    def clean(self, noisy: Tensor, predicted: Tensor, timesteps: Tensor) -> Tensor:
        """The clean latent that a prediction speaks of."""
        signal, spread = self._weights(timesteps)
        if self.prediction == "epsilon":
            return (noisy - spread * predicted) / signal
        return signal * noisy - spread * predicted if self.prediction == "v_prediction" else predicted

    @torch.no_grad()
    def full_run(self, denoise: Denoise, noisy: Tensor, steps: int, first: int | None = None) -> Tensor:
        """Go all the way back with deterministic steps.

        Args:
            denoise: The network, already guided and conditioned.
            noisy: `B x C x H x W` at timestep `first`.
            steps: Calls of the network, evenly spaced in time.
            first: Where to begin; by default at the last timestep.

        Returns:
            The clean latent.
        """
        first = self.horizon - 1 if first is None else first
        places = torch.linspace(first, 0, steps + 1, device=noisy.device).round().long()[:-1]
        for index, place in enumerate(places):
            now = place.expand(noisy.shape[0])
            predicted = denoise(noisy, now)
            clean = self.clean(noisy, predicted, now)
            if index + 1 == len(places):
                return clean
            signal, spread = self._weights(now)
            noise = (noisy - signal * clean) / spread
            noisy = self.noised(clean, noise, places[index + 1].expand(noisy.shape[0]))
        return noisy

    def _weights(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        share = self.signal_share[timesteps][:, None, None, None]
        return share.sqrt(), (1.0 - share).sqrt()
