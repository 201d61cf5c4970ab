"""How long and how fast to train, and the news of it. Knows no tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingPlan:
    """Steps and rates.

    Attributes:
        steps: Optimiser steps.
        learning_rate: After the warm-up.
        final_learning_rate: At the end of the cosine.
        decay_share: Last part of the steps over which a cosine leads from one rate to the other. Before it the rate
            is constant and a step does not depend on how many will follow, so a training can still be prolonged.
        warmup: Steps of linear warm-up.
        average_decay: Of the moving average of the weights, reached after some twenty steps.
    """

    steps: int
    learning_rate: float
    final_learning_rate: float
    decay_share: float = 1.0
    warmup: int = 100
    average_decay: float = 0.998

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step of `steps`: linear warm-up, constant, cosine."""
        constant = steps * (1.0 - self.decay_share)
        decayed = max(0.0, step - constant) / max(1.0, steps - constant)
        cosine = 0.5 * (1.0 + math.cos(math.pi * decayed))
        rate = self.final_learning_rate + (self.learning_rate - self.final_learning_rate) * cosine
        return rate * min(1.0, (step + 1) / max(1, self.warmup))


@dataclass(frozen=True)
class Progress:
    """One line of news for a progress bar.

    Attributes:
        step: Finished steps.
        steps: Steps of the training.
        loss: Mean loss since the last news.
        elapsed_s: Seconds spent, earlier runs included.
    """

    step: int
    steps: int
    loss: float
    elapsed_s: float
