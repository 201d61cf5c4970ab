from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from nas.domain.value import FrozenDict
from nas.errors import EvaluationError
from nas.estimation.devices.analytic import TARGETS, AnalyticDevice, Target, load_target, write_target
from nas.estimation.devices.analytic.calibration import ENOUGH, Observation, calibrate
from nas.estimation.devices.analytic.graph import read_graph
from nas.estimation.devices.analytic.naive import fit_line, scores
from nas.estimation.devices.analytic.roofline import rates_of
from tests.nas.estimation.devices.graphs import PLAIN, PROTOCOL, milliseconds, model

TRUE = PLAIN.evolve(
    macs_per_s=FrozenDict({"fp32": 3e9, "int8": 12e9}),
    vector_ops_per_s=FrozenDict({"fp32": 4e7, "int8": 4e7}),
    memory_bytes_per_s=3e8,
    launch_us=40.0,
    inference_us=300.0,
    sram_bytes=2**15,
)
PRIOR = PLAIN.evolve(sram_bytes=2**15)


def observations(folder: Path, count: int, noise: float = 0.0) -> list[Observation]:
    """Networks that are bound by one thing each, as the true target would run them."""
    generator = np.random.default_rng(0)
    found = []
    for number in range(count):
        channels, pixels = int(generator.integers(1, 64)), int(generator.integers(2, 48))
        nodes = [helper.make_node("Conv", ["x", "w"], ["y0"], pads=[1, 1, 1, 1])]
        for place in range(int(generator.integers(0, 12))):
            operator = ("Softmax", "Transpose", "Softmax")[number % 3]
            nodes.append(helper.make_node(operator, [f"y{place}"], [f"y{place + 1}"]))
        path = model(folder, nodes, {"x": [1, channels, pixels, pixels]}, {"w": [channels, channels, 3, 3]})
        graph = read_graph(path)
        seconds = milliseconds(graph, TRUE) * math.exp(noise * generator.standard_normal())
        found.append(Observation(graph, seconds))
    return found


def fitted_rates(target: Target) -> np.ndarray[Any, Any]:
    rates = rates_of(target, "fp32")
    return np.log(
        [rates.macs_per_s, rates.vector_ops_per_s, rates.memory_bytes_per_s, rates.launch_s, rates.inference_s]
    )


def test_calibration_finds_the_rates_behind_exact_measurements(tmp_path: Path) -> None:
    fitted = calibrate(PRIOR, observations(tmp_path, 60), precision="fp32", device="paper", name="fitted")
    assert np.exp(np.abs(fitted_rates(fitted) - fitted_rates(TRUE))).max() < 1.25
    assert fitted.macs_per_s["int8"] / fitted.macs_per_s["fp32"] == pytest.approx(4.0)
    assert fitted.relative_uncertainty < 0.05
    assert fitted.calibration is not None
    assert (fitted.calibration.samples, fitted.name, fitted.calibration.prior) == (60, "fitted", "plain")


def test_the_uncertainty_is_that_of_the_measurements_left_out(tmp_path: Path) -> None:
    fitted = calibrate(PRIOR, observations(tmp_path, 60, noise=0.2), precision="fp32", device="paper")
    assert 0.15 < fitted.relative_uncertainty < 0.3


def test_three_measurements_leave_the_rates_near_the_prior_and_say_so(tmp_path: Path) -> None:
    many, few = (
        calibrate(PRIOR, observations(tmp_path, count), precision="fp32", device="paper") for count in (60, 3)
    )
    away = [np.linalg.norm(fitted_rates(one) - fitted_rates(PRIOR)) for one in (few, many)]
    assert away[0] < 0.4 * away[1]
    assert few.calibration is not None
    assert "Too few" in few.calibration.note
    assert few.relative_uncertainty >= PRIOR.relative_uncertainty
    assert len(observations(tmp_path, 3)) < ENOUGH


def test_a_calibrated_target_survives_being_written_and_is_another_device(tmp_path: Path) -> None:
    fitted = calibrate(
        load_target(TARGETS / "cpu-core.yaml"), observations(tmp_path, 12), precision="fp32", device="d"
    )
    write_target(fitted, tmp_path / "fitted.yaml")
    assert load_target(tmp_path / "fitted.yaml") == fitted
    assert "fitted to 12" in fitted.sources["launch_us"]
    assert AnalyticDevice(fitted).describe(PROTOCOL).labels["calibrated on"] == "12 of d"


def test_nothing_to_calibrate_with_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="nothing to calibrate"):
        calibrate(PRIOR, [], precision="fp32", device="paper")
    with pytest.raises(EvaluationError, match="fp32 or int8"):
        calibrate(PRIOR, observations(tmp_path, 3), precision="fp16", device="paper")


def test_a_line_takes_the_space_that_serves_it_better() -> None:
    quantity = np.array([1e6, 2e6, 4e6, 8e6, 16e6])
    assert not fit_line(quantity, 3.0 + quantity / 1e6).is_logarithmic
    assert fit_line(quantity, np.sqrt(quantity)).is_logarithmic
    perfect = fit_line(quantity, 3.0 + quantity / 1e6).predict(quantity)
    assert scores(perfect, 3.0 + quantity / 1e6)["kendall_tau"] == pytest.approx(1.0)
    assert scores(perfect, 3.0 + quantity / 1e6)["mean_relative_error"] == pytest.approx(0.0, abs=1e-9)
