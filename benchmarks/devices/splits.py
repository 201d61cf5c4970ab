"""Predictors on random halves: fitted on one, judged on the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.domain.device import Precision
from nas.estimation.devices.analytic.calibration import Observation, calibrate, fit
from nas.estimation.devices.analytic.graph import Graph
from nas.estimation.devices.analytic.naive import NAIVE, fit_line, scores
from nas.estimation.devices.analytic.roofline import plan, rates_of
from nas.estimation.devices.analytic.target import Target

Values = NDArray[np.float64]
Predictor = Callable[[NDArray[np.intp], NDArray[np.intp]], Values]

CALIBRATED, UNCALIBRATED = "analytic, calibrated", "analytic, not calibrated"
FIGURES = ("kendall_tau", "spearman", "mean_relative_error", "median_relative_error")


@dataclass(frozen=True)
class Timed:
    """What was measured.

    Attributes:
        graphs: What ran.
        milliseconds: Medians over the rounds.
    """

    graphs: Sequence[Graph]
    milliseconds: Values


def predictors(timed: Timed, target: Target, precision: Precision) -> dict[str, Predictor]:
    """By name: milliseconds of the second places, fitted to the first."""
    plans = [plan(graph, target, precision) for graph in timed.graphs]
    prior = rates_of(target, precision)

    def calibrated(seen: NDArray[np.intp], unseen: NDArray[np.intp]) -> Values:
        rates = fit([plans[place] for place in seen], np.log(timed.milliseconds[seen] / 1e3), prior)
        return np.array([plans[place].seconds(rates) * 1e3 for place in unseen])

    def uncalibrated(seen: NDArray[np.intp], unseen: NDArray[np.intp]) -> Values:
        del seen
        return np.array([plans[place].seconds(prior) * 1e3 for place in unseen])

    def line(quantity: Values) -> Predictor:
        return lambda seen, unseen: fit_line(quantity[seen], timed.milliseconds[seen]).predict(quantity[unseen])

    naive = {name: line(np.array([of(graph) for graph in timed.graphs])) for name, of in NAIVE.items()}
    return {CALIBRATED: calibrated, UNCALIBRATED: uncalibrated, **naive}


def judged(timed: Timed, target: Target, precision: Precision, splits: int, seed: int) -> list[dict[str, Any]]:
    """Scores of every predictor on every split."""
    generator = np.random.default_rng(seed)
    known = predictors(timed, target, precision)
    found = []
    for split in range(splits):
        order = generator.permutation(len(timed.graphs))
        seen, unseen = order[: len(order) // 2], order[len(order) // 2 :]
        for name, predict in known.items():
            score = scores(predict(seen, unseen), timed.milliseconds[unseen])
            found.append({"split": split, "predictor": name, **score})
    return found


def summary(judgements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and range of every figure over the splits, and how often each is beaten in rank."""
    best = {one["split"]: one["kendall_tau"] for one in judgements if one["predictor"] == CALIBRATED}
    rows = []
    for name in dict.fromkeys(one["predictor"] for one in judgements):
        mine = [one for one in judgements if one["predictor"] == name]
        row: dict[str, Any] = {"predictor": name}
        for figure in FIGURES:
            values = [one[figure] for one in mine]
            low, high = np.quantile(values, (0.05, 0.95))
            row[figure.replace("_", " ")] = f"{np.mean(values):.3f} ({low:.3f} to {high:.3f})"
        beaten = np.mean([best[one["split"]] > one["kendall_tau"] for one in mine])
        row["splits where the calibrated model ranks better"] = "" if name == CALIBRATED else f"{beaten:.0%}"
        rows.append(row)
    return rows


def transferred(
    learned: Timed, asked: Timed, target: Target, precision: Precision, device: str
) -> Iterator[dict[str, Any]]:
    """Fitted to one kind of subject, judged on another: whole networks from isolated blocks."""
    observations = [Observation(*one) for one in zip(learned.graphs, learned.milliseconds.tolist(), strict=True)]
    fitted = calibrate(target, observations, precision=precision, device=device)
    rates = rates_of(fitted, precision)
    milliseconds = [plan(graph, fitted, precision).seconds(rates) * 1e3 for graph in asked.graphs]
    yield {"predictor": CALIBRATED, **scores(milliseconds, asked.milliseconds)}
    for name, of in NAIVE.items():
        known, wanted = (np.array([of(graph) for graph in one.graphs]) for one in (learned, asked))
        line = fit_line(known, learned.milliseconds)
        yield {"predictor": name, **scores(line.predict(wanted), asked.milliseconds)}
