"""Means over samples that were drawn band by band, and their standard errors."""

from __future__ import annotations

import math

from torch import Tensor

from nas.domain.metric import Measurement


def stratified_measurement(values: Tensor, band: Tensor, unit: str) -> Measurement:
    """Mean of per-sample values with the standard error of a stratified mean.

    Samples take the timestep bands in turn, so what differs *between* bands is no sampling noise: an error that is
    large at one end of the schedule and small at the other would otherwise look several times less certain than it
    is. Bands with a single sample have no spread of their own and fall back to the plain formula.

    Args:
        values: One per sample, `N`.
        band: Band of each, `N`.
        unit: Unit of the values.
    """
    return Measurement(mean=float(values.mean()), sem=standard_error(values, band), samples=len(values), unit=unit)


def standard_error(values: Tensor, band: Tensor) -> float:
    """Standard error of the mean of stratified samples; of a plain mean when some band has one sample."""
    count = len(values)
    if count < 2:
        return 0.0
    groups = [values[band == number] for number in sorted(set(band.tolist()))]
    if min(len(group) for group in groups) < 2:
        return float(values.std()) / math.sqrt(count)
    variance = sum((len(group) / count) ** 2 * float(group.var()) / len(group) for group in groups)
    return math.sqrt(variance)


def ratio_measurement(numerator: Tensor, denominator: Tensor, band: Tensor, unit: str) -> Measurement:
    """Ratio of two means over the same samples, with the standard error of the delta method.

    To first order a ratio `r = mean(n) / mean(d)` varies as the mean of `(n - r d) / mean(d)` (Cochran 1977).
    """
    ratio = float(numerator.mean() / denominator.mean())
    residual = (numerator - ratio * denominator) / denominator.mean()
    return Measurement(mean=ratio, sem=standard_error(residual, band), samples=len(numerator), unit=unit)


def band_means(values: Tensor, band: Tensor) -> tuple[float, ...]:
    """Mean per band, band 0 first."""
    return tuple(float(values[band == number].mean()) for number in sorted(set(band.tolist())))
