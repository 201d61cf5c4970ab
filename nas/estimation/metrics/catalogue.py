"""All fidelity metrics in one place; importing this module registers them. A new one costs its file and a line."""

from __future__ import annotations

from nas.estimation.metrics import feature_distance, noise_mse, noise_mse_relative
from nas.estimation.metrics.base import FIDELITY

METRIC_MODULES = (noise_mse, noise_mse_relative, feature_distance)

__all__ = ["FIDELITY", "METRIC_MODULES"]
