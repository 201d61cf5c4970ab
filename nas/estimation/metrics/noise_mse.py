"""Mean squared difference between the candidate's and the teacher's prediction: TOC-SR's f_acc."""

from __future__ import annotations

from nas.domain.metric import NOISE_MSE, Measurement
from nas.estimation.metrics.base import FIDELITY, Comparison, FidelityMetric
from nas.estimation.metrics.statistics import stratified_measurement


class NoiseMse(FidelityMetric):
    """Absolute, in the unit of the teacher's prediction squared (unit variance for a noise-predicting teacher)."""

    metric = NOISE_MSE

    def measure(self, comparison: Comparison) -> Measurement:
        """Mean over the hold-out samples."""
        return stratified_measurement(comparison.squared_error, comparison.band, self.metric.unit)


FIDELITY.register(NOISE_MSE.name)(NoiseMse())
