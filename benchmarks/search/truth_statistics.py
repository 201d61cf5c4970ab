"""What kind of landscape the shipped truth is: `python -m benchmarks.search.truth_statistics` writes it beside it.

An ε is *hard yet sensible* where 0.3 to 1 % of all networks are feasible and within 5 % of the least feasible cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls
from scipy.stats import kendalltau, spearmanr

from benchmarks.report import markdown_table
from benchmarks.search.truth import TABLES
from benchmarks.search.truth_space import CHOICES
from benchmarks.search.truth_table import BLOCKS, TABLE, low_fidelities, read_table

Array = npt.NDArray[np.float64]
EPSILONS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.12)
COSTS = ("params", "gmacs", "table_latency_ms")
NEAR = (0.02, 0.05, 0.1)
BEST = 0.1
STATISTICS = "reference.md"


class Landscape:
    """The shipped tables as arrays.

    Args:
        folder: Where the two files lie.
    """

    def __init__(self, folder: Path = TABLES) -> None:
        rows = read_table(folder / TABLE)
        self.codes = np.array([[CHOICES[stage].index(row[stage]) for stage in CHOICES] for row in rows])
        self.names = [tuple(row[stage] for stage in CHOICES) for row in rows]
        self.columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name not in CHOICES}
        losses = {(row["stage"], row["variant"]): float(row["block_loss"]) for row in read_table(folder / BLOCKS)}
        self.block_losses = np.array(
            [[losses[place] for place in zip(CHOICES, names, strict=True)] for names in self.names]
        )

    @property
    def noise(self) -> Array:
        """True loss of every network."""
        return self.columns["noise_mse"]


def main() -> None:
    landscape = Landscape()
    tables: dict[str, list[dict[str, Any]]] = {
        "Spread": spread(landscape),
        "Feasible and near the optimum, in per cent of all networks": epsilon_rows(landscape),
        "Optimum per ε and cost": optimum_rows(landscape),
        "Rank correlation": correlations(landscape),
        "Share of the variance of log(noise_mse) that single stages explain": main_effects(landscape),
        "How low fidelities rank": low_fidelity_rows(landscape),
    }
    text = ["# The truth of the reference teacher", "", f"{len(landscape.noise):,} networks, all evaluated."]
    for title, rows in tables.items():
        text += ["", f"## {title}", "", *markdown_table(rows)]
    (TABLES / STATISTICS).write_text("\n".join(text) + "\n", encoding="utf-8")
    print("\n".join(text))


def spread(landscape: Landscape) -> list[dict[str, Any]]:
    """Quantiles of every quantity; of the standard error as a share of the mean."""
    noise = np.maximum(landscape.noise, 1e-12)
    quantities = {name: landscape.columns[name] for name in ("noise_mse", *COSTS)}
    quantities["noise_mse_sem / noise_mse"] = landscape.columns["noise_mse_sem"] / noise
    shares = {"minimum": 0.0, "10 %": 0.1, "median": 0.5, "90 %": 0.9, "maximum": 1.0}
    return [
        {"quantity": name, **{title: float(np.quantile(values, share)) for title, share in shares.items()}}
        for name, values in quantities.items()
    ]


def epsilon_rows(landscape: Landscape) -> list[dict[str, Any]]:
    """Per ε, how many networks are feasible, and how many of these are nearly the cheapest."""
    rows = []
    for epsilon in EPSILONS:
        feasible = landscape.noise <= epsilon
        row: dict[str, Any] = {"ε": epsilon, "feasible": 100.0 * float(feasible.mean())}
        for cost in COSTS:
            least = landscape.columns[cost][feasible].min()
            for near in NEAR:
                good = feasible & (landscape.columns[cost] <= (1 + near) * least)
                row[f"{cost} within {near:.0%}"] = 100.0 * float(good.mean())
        rows.append(row)
    return rows


def optimum_rows(landscape: Landscape) -> list[dict[str, Any]]:
    """Per ε and cost, the cheapest feasible network."""
    rows = []
    for epsilon in EPSILONS:
        for cost in COSTS:
            prices = np.where(landscape.noise <= epsilon, landscape.columns[cost], np.inf)
            best = int(np.argmin(prices))
            share = float(prices[best] / landscape.columns[cost][0])
            network = " ".join(f"{stage}:{name}" for stage, name in zip(CHOICES, landscape.names[best], strict=True))
            rows.append({"ε": epsilon, "cost": cost, "of the teacher's": share, "network": network})
    return rows


def correlations(landscape: Landscape, folds: int = 5) -> list[dict[str, Any]]:
    """Spearman correlations; block losses as a plain sum, and weighted per stage by other folds' weights."""
    noise, losses = landscape.noise, landscape.block_losses
    fold = np.random.default_rng(0).permutation(len(noise)) % folds
    weighted = np.zeros(len(noise))
    for number in range(folds):
        weights, _ = nnls(losses[fold != number], noise[fold != number])
        weighted[fold == number] = losses[fold == number] @ weights
    pairs = {
        "sum of block losses / noise_mse": (losses.sum(axis=1), noise),
        "weighted sum of block losses / noise_mse": (weighted, noise),
        **{f"{cost} / noise_mse": (landscape.columns[cost], noise) for cost in COSTS},
        "params / table_latency_ms": (landscape.columns["params"], landscape.columns["table_latency_ms"]),
        "gmacs / table_latency_ms": (landscape.columns["gmacs"], landscape.columns["table_latency_ms"]),
    }
    best = noise <= np.quantile(noise, BEST)
    return [
        {"pair": name, "all": float(spearmanr(*pair).statistic), "best 10 %": _of(best, pair, spearmanr)}
        for name, pair in pairs.items()
    ]


def main_effects(landscape: Landscape) -> list[dict[str, Any]]:
    """Variance of the mean log loss per variant over the variance of log loss; the rest is interaction."""
    known = landscape.noise > 0
    values, codes = np.log(landscape.noise[known]), landscape.codes[known]
    rows: list[dict[str, Any]] = []
    for position, stage in enumerate(CHOICES):
        effect = np.zeros(len(values))
        for code in range(len(CHOICES[stage])):
            chosen = codes[:, position] == code
            effect[chosen] = values[chosen].mean()
        rows.append({"stage": stage, "share": float(effect.var() / values.var())})
    return [*rows, {"stage": "interactions", "share": 1.0 - sum(row["share"] for row in rows)}]


def low_fidelity_rows(landscape: Landscape) -> list[dict[str, Any]]:
    """Kendall's τ of each low-fidelity column with the full one, and how many of the best it finds."""
    noise = landscape.noise
    best = noise <= np.quantile(noise, BEST)
    rows = []
    for name in low_fidelities(8, 64):
        cheap = landscape.columns[name]
        found = best[np.argsort(cheap, kind="stable")[: int(best.sum())]]
        rows.append(
            {
                "column": name,
                "Kendall τ": float(kendalltau(cheap, noise).statistic),
                "τ among the best 10 %": _of(best, (cheap, noise), kendalltau),
                "of the best 10 %, found": float(found.mean()),
            }
        )
    return rows


def _of(rows: npt.NDArray[np.bool_], pair: Sequence[Array], measure: Callable[..., Any]) -> float:
    return float(measure(*(values[rows] for values in pair)).statistic)


if __name__ == "__main__":
    main()
