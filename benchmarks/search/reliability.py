"""How often something better remains when a search says so: `python -m benchmarks.search.reliability`.

Histories of 20, 40 and 60 evaluations, made by `random` and by the engine on the bench's landscapes, are asked for
the probability that an improvement of one per cent remains; the landscape tells whether one does. Finished histories
are kept in a file, so that the question can be put again to another version of the model.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.report import markdown_table, write_results
from benchmarks.search.catalogue import make_landscape, standard
from benchmarks.search.landscape import Landscape
from benchmarks.search.methods import load_methods
from benchmarks.search.ours import Ours
from benchmarks.search.protocol import Ledger, task_of, warm_up
from nas.domain.pareto import hypervolume_2d
from nas.strategy.base import Strategy
from nas.strategy.bayesian import undisturbed
from nas.strategy.pricing import Codes

AFTER: Final = (20, 40, 60)
METHODS: Final = ("random", "blocksmith")
SEEDS: Final = {"reference": 6, "nas-bench-macro": 6, "syn": 6, "syn-shuffled": 6}
"""Landscapes that can be enumerated, and how many seeds of each."""
EDGES: Final = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
"""Of the classes of stated probabilities."""
BETTER: Final = 0.01
KEPT: Final = Path(".reliability.jsonl")

History = dict[str, Any]


def main() -> None:
    """Make what is missing, ask, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=("epsilon", "front"), default="epsilon")
    parser.add_argument("--histories", type=Path, default=KEPT, help="where histories are kept")
    parser.add_argument("--seeds", type=int, help="of each landscape, instead of the usual number")
    parser.add_argument("--name", help="of the results, instead of reliability-TASK")
    parser.add_argument("--make", action="store_true", help="make histories and ask nothing")
    options = parser.parse_args()
    asked: list[Any] = []
    for history in histories(options.histories, options.task, options.seeds):
        if not options.make:
            asked.extend(ask(history))
            print(json.dumps(asked[-1]), flush=True)
    if not options.make:
        tables = {"Summary": summary(asked), "Reliability": reliability(asked)}
        write_results(options.name or f"reliability-{options.task}", {**tables, "asked": asked}, tables)
        print("\n".join([*markdown_table(tables["Summary"]), "", *markdown_table(tables["Reliability"])]))


def histories(kept: Path, kind: str, seeds: int | None) -> Iterator[History]:
    """Every history, made unless the file has it."""
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    known = {
        tuple(one[part] for part in ("task", "landscape", "method", "seed")): one for one in map(json.loads, lines)
    }
    found, _ = standard()
    for seed, name, method in itertools.product(range(max(SEEDS.values())), SEEDS, METHODS):
        if name not in found or seed >= (seeds or SEEDS[name]):
            continue
        if (kind, name, method, seed) not in known:
            codes = made(make_landscape(found[name], seed), kind, method, seed)
            history = {"task": kind, "landscape": name, "method": method, "seed": seed, "codes": codes}
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(history) + "\n")
            known[kind, name, method, seed] = history
        yield known[kind, name, method, seed]


def made(landscape: Landscape, kind: str, name: str, seed: int) -> list[list[int]]:
    """What a method evaluates, in order; `random` has no warm-up but the original and what was bought."""
    task = task_of(landscape, kind, seed, max(AFTER))
    ledger = Ledger(landscape, seed)
    if name == "random":
        for codes in (landscape.original, *landscape.bought):
            ledger.evaluate(codes)
    else:
        warm_up(task, ledger)
    method = load_methods()[name].make(task)
    for codes, measured in ledger.seen.items():
        method.tell(codes, measured)
    while len(ledger.seen) < max(AFTER):
        wanted = method.ask()
        if wanted is None or wanted in ledger.seen or not ledger.holds(wanted):
            wanted = ledger.stand_in()
        method.tell(wanted, ledger.evaluate(wanted))
    return [[int(code) for code in codes] for codes in ledger.seen]


def ask(history: History) -> Iterator[dict[str, Any]]:
    """What is stated after each number of evaluations, and what is true."""
    from nas.strategy.insight import Insight
    from nas.strategy.remaining import remaining

    found, _ = standard()
    landscape = make_landscape(found[history["landscape"]], history["seed"])
    for count in AFTER:
        strategy = told(landscape, history, count)
        with undisturbed():
            outlook = Insight.of(strategy).outlook()
            answer = remaining(outlook)
        if answer is None or not len(outlook.best):
            continue
        tried = np.array(history["codes"][:count], dtype=np.int16)
        chosen = outlook.judged.codes[outlook.best]
        is_left = (
            front_can_grow(landscape, tried, outlook.reference)
            if history["task"] == "front"
            else something_is_better(landscape, tried, float(landscape.cost(chosen)[0]))
        )
        about = {key: history[key] for key in ("task", "landscape", "method", "seed")}
        yield {**about, "evaluations": count, "stated": answer["probability"], "true": is_left}


def told(landscape: Landscape, history: History, count: int) -> Strategy:
    """The engine after the first evaluations of a history."""
    task = task_of(landscape, history["task"], history["seed"], max(AFTER))
    made = Ours(task)
    for codes in history["codes"][:count]:
        made.tell(tuple(codes), landscape.measure(tuple(codes), history["seed"]))
    return made.strategy


def something_is_better(landscape: Landscape, tried: Codes, level: float) -> bool:
    """Whether something that was not tried is truly within the bounds and better than `level` by one per cent."""
    left = untried(landscape, tried)
    cheap = left[landscape.cost(left) <= (1 - BETTER) * level]
    return bool(landscape.is_feasible(cheap).any())


def front_can_grow(landscape: Landscape, tried: Codes, reference: tuple[float, float]) -> bool:
    """Whether the true hypervolume of everything exceeds that of what was tried by one per cent."""

    def volume(codes: Codes) -> float:
        return float(
            hypervolume_2d(np.column_stack([landscape.cost(codes), landscape.loss(codes)]).tolist(), reference)
        )

    now = volume(tried)
    return volume(np.concatenate([tried, untried(landscape, tried)])) >= (1 + BETTER) * now


def untried(landscape: Landscape, tried: Codes) -> Codes:
    """Everything that exists and was not tried."""
    sizes = landscape.cardinalities
    every = np.indices(sizes, dtype=np.int16).reshape(len(sizes), -1).T
    new = ~np.isin(np.ravel_multi_index(tuple(every.T), sizes), np.ravel_multi_index(tuple(tried.T), sizes))
    left = every[new]
    return left[landscape.holds(left)]


def reliability(asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Stated against true, class by class."""
    stated, true = (np.array([one[part] for one in asked], dtype=float) for part in ("stated", "true"))
    rows = []
    for number, (low, high) in enumerate(itertools.pairwise(EDGES)):
        inside = (stated >= low) & ((stated < high) | (number == len(EDGES) - 2))
        if inside.any():
            mean, share, count = float(stated[inside].mean()), float(true[inside].mean()), int(inside.sum())
            rows.append(
                {
                    "stated": f"{low:g} to {high:g}",
                    "histories": count,
                    "mean stated": mean,
                    "true": share,
                    "standard error": float(np.sqrt(max(share * (1 - share), 0.25 / count) / count)),
                }
            )
    return rows


def summary(asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean stated against mean true, and the scores, for everything and for its parts."""
    rows = []
    parts: dict[str, list[dict[str, Any]]] = {"all": asked}
    for key in ("landscape", "method", "evaluations"):
        for value in dict.fromkeys(one[key] for one in asked):
            parts[f"{key} {value}"] = [one for one in asked if one[key] == value]
    for name, part in parts.items():
        stated, true = (np.array([one[column] for one in part], dtype=float) for column in ("stated", "true"))
        safe = np.clip(stated, 1 / 512, 1 - 1 / 512)  # counted in draws: none is certain
        rows.append(
            {
                "of": name,
                "histories": len(part),
                "mean stated": float(stated.mean()),
                "true": float(true.mean()),
                "Brier score": float(((stated - true) ** 2).mean()),
                "log loss": float(-(true * np.log(safe) + (1 - true) * np.log(1 - safe)).mean()),
            }
        )
    return rows


if __name__ == "__main__":
    main()
