"""noise_mse as a share of the teacher's own output power, so that teachers can be compared."""

from __future__ import annotations

from nas.domain.metric import NOISE_MSE_RELATIVE, Measurement
from nas.estimation.metrics.base import FIDELITY, Comparison, FidelityMetric
from nas.estimation.metrics.statistics import ratio_measurement


class NoiseMseRelative(FidelityMetric):
    """1 means no better than predicting nothing at all."""

    metric = NOISE_MSE_RELATIVE

    def measure(self, comparison: Comparison) -> Measurement:
        """Ratio of the means over the hold-out samples, not mean of the ratios."""
        return ratio_measurement(comparison.squared_error, comparison.power, comparison.band, self.metric.unit)


FIDELITY.register(NOISE_MSE_RELATIVE.name)(NoiseMseRelative())
