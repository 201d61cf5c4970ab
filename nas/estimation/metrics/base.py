"""The contract of a fidelity metric, and what it is computed from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from torch import Tensor

from nas.domain.metric import Measurement, Metric
from nas.registry import Registry


@dataclass(frozen=True)
class Comparison:
    """A candidate beside its teacher on the hold-out latents, `N` of them, in float64 on the CPU.

    Attributes:
        squared_error: Per sample, mean squared difference of the predictions, `N`.
        power: Per sample, mean square of the teacher's prediction, `N`.
        band: Timestep band of each sample, `N`; band 0 has the smallest timesteps.
        stage_distances: Normalised squared distance of a stage's outputs along the assembled network, `N` each.
            Empty unless a metric asked for features; without the stages that a removed level bypasses.
    """

    squared_error: Tensor
    power: Tensor
    band: Tensor
    stage_distances: dict[str, Tensor] = field(default_factory=dict)


class FidelityMetric(ABC):
    """One number for how far a candidate is from its teacher. Stateless; less is better; the teacher has 0.

    Attributes:
        metric: Name, unit and meaning.
        needs_features: Whether stage outputs have to be compared, which costs reading the captured ones.
    """

    metric: Metric
    needs_features: bool = False

    @abstractmethod
    def measure(self, comparison: Comparison) -> Measurement:
        """Mean and standard error over the hold-out samples."""


FIDELITY: Registry[FidelityMetric] = Registry("fidelity metric", home="nas.estimation.metrics.catalogue")
