"""How far the stages' outputs drift from the teacher's along the assembled network."""

from __future__ import annotations

import torch

from nas.domain.metric import FEATURE_DISTANCE, Measurement
from nas.estimation.metrics.base import FIDELITY, Comparison, FidelityMetric
from nas.estimation.metrics.statistics import stratified_measurement


class FeatureDistance(FidelityMetric):
    """Unlike the block loss this sees errors accumulate: a stage is fed by the stages before it, not by the teacher.

    Averaged over the stages that run; a level removed whole runs no stage, and what its absence does shows in the
    decoder stages behind it. The teacher's features are stored in half precision, so that a perfect copy has about
    1e-7 and not 0.
    """

    metric = FEATURE_DISTANCE
    needs_features = True

    def measure(self, comparison: Comparison) -> Measurement:
        """Mean over stages, then over the hold-out samples."""
        distances = torch.stack(list(comparison.stage_distances.values())).mean(dim=0)
        return stratified_measurement(distances, comparison.band, self.metric.unit)


FIDELITY.register(FEATURE_DISTANCE.name)(FeatureDistance())
