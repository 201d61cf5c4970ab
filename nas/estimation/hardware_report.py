"""Why params mislead: how costs and latencies of a search agree, device by device, and where they do not."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.domain.architecture import TEACHER_VARIANT, Architecture
from nas.domain.cost import ExactCosts
from nas.domain.metric import GMACS, PARAMS
from nas.domain.pareto import non_dominated
from nas.domain.search_space import SearchSpace
from nas.estimation.counter_examples import counter_example, words_of
from nas.estimation.latency_residual import additivity
from nas.estimation.rank import Numbers, kendall_tau, spearman

SAMPLE = 4096
"""Architectures drawn from larger spaces."""
LEAST_PAIRS = 3
"""Measured networks below which no agreement in order is told."""


@dataclass(frozen=True)
class MeasuredOn:
    """One device of a search.

    Attributes:
        device: Its name.
        kind: `measured`, `compiler estimate` or `model`.
        table_metric: Name of its table latency.
        metric: Name of the assembled networks' latency.
        networks_ms: What assembled networks take, by trial.
    """

    device: str
    kind: str
    table_metric: str
    metric: str
    networks_ms: Mapping[int, float]


@dataclass(frozen=True)
class Judged:
    """The trials that a search has judged.

    Attributes:
        numbers: Their numbers.
        architectures: In the same order.
        fidelity: Name of the metric that fronts trade against.
        losses: Its means.
    """

    numbers: tuple[int, ...]
    architectures: tuple[Architecture, ...]
    fidelity: str
    losses: tuple[float, ...]


def hardware_report(
    space: SearchSpace, costs: ExactCosts, devices: tuple[MeasuredOn, ...], judged: Judged, seed: int = 0
) -> dict[str, Any]:
    """Everything that a search knows about how its costs hang together.

    Args:
        space: What is searched.
        costs: Exact costs, with a latency table for every device.
        devices: What was measured on each.
        judged: The trials.
        seed: Of the sample that is drawn from a large space.

    Returns:
        `devices`, `agreement` (Kendall's tau and Spearman's rho of every pair of figures), `stages` (each stage's
        share of the teacher's figures), `fronts` (trials on the front of each figure and how far they disagree),
        `additivity` (table against measured networks) and `counter_examples`, which have a sentence each.
    """
    figures = (PARAMS.name, GMACS.name, *(one.table_metric for one in devices))
    prices = {figure: _Prices(space, costs, figure) for figure in figures}
    codes = _sample(space, seed)
    trials = np.array([space.encode(one) for one in judged.architectures], int).reshape(-1, len(space.stages))
    at = {number: row for row, number in enumerate(judged.numbers)}
    of_trials = {figure: priced.of(trials) for figure, priced in prices.items()}
    examples = [
        example
        for one in devices
        for figure in (PARAMS.name, GMACS.name)
        if (example := _example(one, figure, prices, trials, judged, at)) is not None
    ]
    return {
        "architectures": len(codes),
        "devices": [{"device": one.device, "kind": one.kind, "networks": len(one.networks_ms)} for one in devices],
        "agreement": [
            *_agreement({figure: priced.of(codes) for figure, priced in prices.items()}, "space"),
            *(line for one in devices for line in _measured_agreement(one, of_trials, at)),
        ],
        "stages": [_stage_row(space, costs, stage, prices) for stage in _in_order(space, costs)],
        "fronts": _fronts(of_trials, judged),
        "additivity": [
            {"device": one.device, **additivity(*_table_and_measured(one, of_trials, at))}
            for one in devices
            if len(one.networks_ms) > 1
        ],
        "counter_examples": examples,
    }


class _Prices:
    """An exact figure of any number of architectures: what every variant adds, stage by stage."""

    def __init__(self, space: SearchSpace, costs: ExactCosts, figure: str) -> None:
        self._costs, self._figure = costs, figure
        searched = {choices.stage for choices in space.stages}
        self.fixed = {stage: self.block(stage, TEACHER_VARIANT) for stage in costs.stages if stage not in searched}
        self.floor = self._floor()
        self.base = self.floor + sum(self.fixed.values())
        self.tables = [
            np.array([self.block(choices.stage, variant) for variant in choices.variants]) for choices in space.stages
        ]

    def of(self, codes: npt.NDArray[np.int_]) -> Numbers:
        """The figure of `n x stages` variant numbers."""
        return self.base + sum(
            (table[codes[:, stage]] for stage, table in enumerate(self.tables)), np.zeros(len(codes))
        )

    def block(self, stage: str, variant: str) -> float:
        """What one block adds."""
        table = self._costs.table(self._figure)
        if table is not None:
            return table.blocks_ms[f"{stage}/{variant}"]
        cost = self._costs.library.entry(stage, variant).cost
        return cost.params if self._figure == PARAMS.name else cost.macs / 1e9

    def _floor(self) -> float:
        table = self._costs.table(self._figure)
        if table is not None:
            return table.floor_ms
        floor = self._costs.library.floor
        return floor.params if self._figure == PARAMS.name else floor.macs / 1e9


def _sample(space: SearchSpace, seed: int) -> npt.NDArray[np.int_]:
    if space.size <= SAMPLE:
        return np.array(list(itertools.product(*(range(n) for n in space.cardinalities))))
    draw = np.random.default_rng(seed)
    return np.stack([draw.integers(n, size=SAMPLE) for n in space.cardinalities], axis=1)


def _agreement(columns: Mapping[str, Numbers], over: str) -> list[dict[str, Any]]:
    return [
        {
            "first": first,
            "second": second,
            "over": over,
            "count": len(columns[first]),
            "kendall_tau": _finite(kendall_tau(columns[first], columns[second])),
            "spearman": _finite(spearman(columns[first], columns[second])),
        }
        for first, second in itertools.combinations(columns, 2)
    ]


def _measured_agreement(
    one: MeasuredOn, of_trials: Mapping[str, Numbers], at: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Every exact figure against the measured latencies of assembled networks."""
    numbers = [number for number in one.networks_ms if number in at]
    if len(numbers) < LEAST_PAIRS:
        return []
    rows = [at[number] for number in numbers]
    measured = np.array([one.networks_ms[number] for number in numbers])
    pairs = [_agreement({name: values[rows], one.metric: measured}, "measured") for name, values in of_trials.items()]
    return [line for lines in pairs for line in lines]


def _table_and_measured(
    one: MeasuredOn, of_trials: Mapping[str, Numbers], at: Mapping[int, int]
) -> tuple[Numbers, Numbers]:
    numbers = [number for number in one.networks_ms if number in at]
    table = of_trials[one.table_metric][[at[number] for number in numbers]]
    return table, np.array([one.networks_ms[number] for number in numbers])


def _in_order(space: SearchSpace, costs: ExactCosts) -> list[str]:
    """Searched stages in their order, then those that keep the teacher's block."""
    searched = [choices.stage for choices in space.stages]
    return [*searched, *(stage for stage in costs.stages if stage not in searched)]


def _stage_row(space: SearchSpace, costs: ExactCosts, stage: str, prices: Mapping[str, _Prices]) -> dict[str, Any]:
    """A stage's share of the teacher's figures, and the greatest share that any of its variants saves."""
    variants = next((choices.variants for choices in space.stages if choices.stage == stage), (TEACHER_VARIANT,))
    shares, savings = {}, {}
    for figure, priced in prices.items():
        whole = priced.floor + sum(priced.block(one, TEACHER_VARIANT) for one in costs.stages) or 1.0
        own = priced.block(stage, TEACHER_VARIANT)
        shares[figure] = own / whole
        savings[figure] = (own - min(priced.block(stage, variant) for variant in variants)) / whole
    return {"stage": stage, "share": shares, "saves_at_most": savings}


def _fronts(of_trials: Mapping[str, Numbers], judged: Judged) -> dict[str, Any]:
    """Trials on the front of each figure against fidelity, and how many of them other figures' fronts lack."""
    members: dict[str, set[int]] = {}
    for figure, values in of_trials.items():
        points = list(zip(values.tolist(), judged.losses, strict=True))
        members[figure] = {judged.numbers[place] for place in non_dominated(points)}
    return {
        "against": judged.fidelity,
        "members": {figure: sorted(numbers) for figure, numbers in members.items()},
        "disagreement": [
            {
                "first": a,
                "second": b,
                "only_first": sorted(members[a] - members[b]),
                "shared": len(members[a] & members[b]),
            }
            for a, b in itertools.permutations(members, 2)
        ],
    }


def _example(
    one: MeasuredOn,
    figure: str,
    prices: Mapping[str, _Prices],
    trials: npt.NDArray[np.int_],
    judged: Judged,
    at: Mapping[int, int],
) -> dict[str, Any] | None:
    """The pair of trials of which the one cheaper by a figure is slower on a device by most."""
    timed = [number for number in one.networks_ms if number in at]
    is_measured = len(timed) >= LEAST_PAIRS
    numbers = timed if is_measured else list(judged.numbers)
    rows = [at[number] for number in numbers]
    if len(rows) < 2:
        return None
    latencies = (
        np.array([one.networks_ms[number] for number in timed])
        if is_measured
        else prices[one.table_metric].of(trials[rows])
    )
    pair = counter_example(prices[figure].of(trials[rows]), latencies)
    if pair is None:
        return None
    cheaper, dearer = rows[pair.cheaper], rows[pair.dearer]
    difference = {
        stage: prices[one.table_metric].block(stage, a) - prices[one.table_metric].block(stage, b)
        for stage in judged.architectures[cheaper].choices.keys() | judged.architectures[dearer].choices.keys()
        for a, b in [(judged.architectures[cheaper].variant(stage), judged.architectures[dearer].variant(stage))]
        if a != b
    }
    found = {
        "device": one.device,
        "figure": figure,
        "is_measured": is_measured,
        "cheaper": judged.numbers[cheaper],
        "dearer": judged.numbers[dearer],
        "saves": pair.saves,
        "slower": pair.slower,
        "stages_ms": dict(sorted(difference.items(), key=lambda item: -item[1])),
    }
    architectures = judged.architectures[cheaper], judged.architectures[dearer]
    return {**found, "words": words_of(found, *architectures)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
