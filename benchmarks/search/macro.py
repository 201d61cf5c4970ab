"""NAS-Bench-Macro (Su et al., CVPR 2021) as a landscape: 6,561 networks that were really trained, three times each.

Eight layers, three operations, cost in GMACs, loss in percent of wrong answers on CIFAR-10. A measurement is one of
the three trainings, the truth is their mean. Block losses are what single replacements lose: these 16 are charged.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search.landscape import Bounds
from benchmarks.search.listed import TableLandscape
from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.search_space import SearchSpace, StageChoices

LAYERS = 8
LETTERS = ("2", "1", "0")
"""Operations from dear to cheap: MB6_K5 (it stands for the teacher's block), MB3_K3, identity."""
EPSILON = 7.4
"""Percent of wrong answers; 244 of the 6,561 networks make no more."""


def nas_bench_macro(path: Path) -> TableLandscape:
    """The landscape in the benchmark's own JSON file."""
    table: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    variants = (TEACHER_VARIANT, "MB3_K3", "Identity")
    space = SearchSpace(stages=tuple(StageChoices(stage=f"L{layer}", variants=variants) for layer in range(LAYERS)))
    codes = np.array(list(space.indices()), dtype=np.int16)
    rows = [table["".join(LETTERS[v] for v in row)] for row in codes.tolist()]
    wrong = 100 - np.array([row["test_acc"] for row in rows])
    single = [tuple(v if s == layer else 0 for s in range(LAYERS)) for layer in range(LAYERS) for v in (1, 2)]
    return TableLandscape(
        "nas-bench-macro",
        space,
        codes,
        np.array([row["flops"] / 1e9 for row in rows]),
        wrong.mean(axis=1),
        Bounds(EPSILON),
        replicates=wrong,
        block_losses=[np.zeros(len(variants))] * LAYERS,  # from the measurements of each run
        bought=tuple(single),
    )
