"""NAS-Bench-Macro (Su et al., CVPR 2021) as a landscape: 3,969 networks that were really trained, three times each.

Eight layers, three operations, cost in GMACs, loss in percent of wrong answers on CIFAR-10. A measurement is one of
the three trainings, the truth is their mean. The benchmark's 6,561 rows name some networks twice and more: between
layers of one width it does not matter which of them is removed. Every method may use any name; a network is
evaluated once.

What a removal loses is measured, network by network, and charged; what the cheaper operation of a layer loses is
taken for the same share of it as it saves of the multiplications.
"""

# ruff: noqa: D102  # the base class says what each of them does

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search.landscape import Bounds
from benchmarks.search.listed import TableLandscape
from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.search_space import SearchSpace, StageChoices
from nas.strategy.pricing import Codes, Prices

LAYERS = 8
SAME_WIDTH = ((3, 4), (6, 7))
"""Layers of which it does not matter which one is removed; each of the others changes the width or has no fellow."""
REMOVED = 2
LETTERS = ("2", "1", "0")
"""Operations from dear to cheap: MB6_K5 (it stands for the teacher's block), MB3_K3, identity."""
EPSILON = 7.4
"""Percent of wrong answers; 180 of the 3,969 networks make no more."""


class MacroLandscape(TableLandscape):
    """A table of networks, each under the name in which removed layers come last among those of one width."""

    def canonical(self, codes: Codes) -> Codes:
        return one_name(codes)

    def known_block_losses(self, seed: int) -> list[Prices]:
        """What each operation loses: measured of removals, read off by what they save of others."""
        removed = self.expected_losses(seed)
        known = []
        for layer, cardinality in enumerate(self.cardinalities):
            codes = np.zeros((cardinality, LAYERS), dtype=np.int16)
            codes[:, layer] = range(cardinality)
            costs = self.cost(self.canonical(codes))
            loss = removed[tuple(self.canonical(codes[[REMOVED]])[0].tolist())]
            known.append(loss * (costs[0] - costs) / (costs[0] - costs[REMOVED]))
        return known


def one_name(codes: Codes) -> Codes:
    """Of all names of each network the one in which removed layers come last among those of one width, `n x 8`."""
    named = codes.copy()
    for first, second in SAME_WIDTH:
        swap = (codes[:, first] == REMOVED) & (codes[:, second] != REMOVED)
        named[swap, first], named[swap, second] = codes[swap, second], codes[swap, first]
    return named


def nas_bench_macro(path: Path) -> TableLandscape:
    """The landscape in the benchmark's own JSON file."""
    table: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    variants = (TEACHER_VARIANT, "MB3_K3", "Identity")
    space = SearchSpace(stages=tuple(StageChoices(stage=f"L{layer}", variants=variants) for layer in range(LAYERS)))
    codes = np.unique(one_name(np.array(list(space.indices()), dtype=np.int16)), axis=0)
    rows = [table["".join(LETTERS[v] for v in row)] for row in codes.tolist()]
    wrong = 100 - np.array([row["test_acc"] for row in rows])
    removals = np.unique(one_name(REMOVED * np.eye(LAYERS, dtype=np.int16)), axis=0)
    return MacroLandscape(
        "nas-bench-macro",
        space,
        codes,
        np.array([row["flops"] / 1e9 for row in rows]),
        wrong.mean(axis=1),
        Bounds(EPSILON),
        replicates=wrong,
        block_losses=[np.zeros(len(variants))] * LAYERS,  # from the measurements of each run
        bought=tuple(tuple(row) for row in removals[::-1].tolist()),
    )
