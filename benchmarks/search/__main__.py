"""The search engine against its peers.

    python -m benchmarks.search                                       every landscape, task and method
    python -m benchmarks.search --methods ablations                   our engine, and without each of its parts
    python -m benchmarks.search --tasks grid --methods blocksmith,toc-sr-40-each   eight ε at once or one by one
    python -m benchmarks.search --report                              figures of the runs that are there
    python -m benchmarks.search.plots RESULTS --out FOLDER            pictures of them
    python -m benchmarks.search.cost                                  what a suggestion costs as the history grows
    python -m benchmarks.search --table FILE.csv --choices a,b,c --cost flops --loss err --epsilon X   anybody's table

A command that is repeated makes only the runs that are missing; --fresh makes those it asks for anew.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS, markdown_table, write_results
from benchmarks.search.ablations import ablations
from benchmarks.search.catalogue import MACRO, Spec, make_landscape, standard, table_spec
from benchmarks.search.methods import load_methods
from benchmarks.search.protocol import TASKS
from benchmarks.search.report import tables
from benchmarks.search.runs import Group, Records, Run, groups_of, make_missing
from benchmarks.search.summary import by_method, comparison, paired
from benchmarks.search.tables import BadTable, TableOptions


def main() -> int:
    arguments = _parser().parse_args()
    try:
        specs, skipped = _landscapes(arguments)
        methods = select("method", arguments.methods, list(load_methods()), {"ablations": ablations()})
        tasks = select("task", arguments.tasks, list(TASKS))
        if min(arguments.evaluations, arguments.seeds, arguments.jobs, arguments.first_seed + 1) < 1:
            raise BadTable(["--evaluations, --seeds and --jobs have to be at least 1, --first-seed at least 0"])
    except BadTable as bad:
        print(bad, file=sys.stderr)
        return 2
    name = f"search-{next(iter(specs))}" if arguments.table else "search"
    records = Records(arguments.results / f"{name}.runs.jsonl")
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    groups, left_out = groups_of(specs, tasks, methods, seeds, arguments.evaluations)
    for line in (*skipped, *left_out):
        print(line, file=sys.stderr)
    failures: list[str] = []
    if not arguments.report:
        if arguments.fresh:
            records.forget({group.key(seed) for group in groups for seed in group.seeds})
        failures = make_missing(groups, records, arguments.jobs, sys.stderr)
    if arguments.pack:
        print(f"packed into {records.pack()}", file=sys.stderr)
    _write(name, arguments, groups, records.of(groups, every_seed=arguments.report))
    for line in failures:
        print(line, file=sys.stderr)
    return 1 if failures else 0


def _write(name: str, arguments: argparse.Namespace, groups: list[Group], runs: list[Run]) -> None:
    landscapes = {group.landscape: make_landscape(group.spec, 0) for group in groups}
    found, differences = by_method(runs), paired(runs)
    shown = tables(found, differences, {name for name, land in landscapes.items() if land.is_deterministic})
    options = {key: value.name if isinstance(value, Path) else value for key, value in vars(arguments).items()}
    document = {
        "options": options,
        "epsilon": {name: land.bounds.epsilon for name, land in landscapes.items()},
        "deterministic": {name: land.is_deterministic for name, land in landscapes.items()},
        "landscapes": found,
        "paired": differences,
    }
    write_results(name, document, shown, arguments.results)
    if arguments.json:
        compared = {landscape: {"methods": comparison(tasks)} for landscape, tasks in found.items()}
        only: dict[str, Any] = next(iter(compared.values()), {"methods": {}})
        print(json.dumps(only if arguments.table else {"landscapes": compared}))
        return
    for title, rows in shown.items():
        print("\n".join([f"## {title}", "", *markdown_table(rows), ""]))


def _landscapes(arguments: argparse.Namespace) -> tuple[dict[str, Spec], list[str]]:
    if arguments.table is None:
        specs, missing = standard(arguments.macro)
        chosen = select("landscape", arguments.landscapes, [*specs, *(line.split(":")[0] for line in missing)])
        return {name: specs[name] for name in chosen if name in specs}, missing
    absent = [
        f"--{name} is needed with --table"
        for name in ("choices", "cost", "loss", "epsilon")
        if not getattr(arguments, name)
    ]
    if absent:
        raise BadTable(absent)
    options = TableOptions(
        table=arguments.table.resolve(),
        choices=tuple(part.strip() for part in arguments.choices.split(",") if part.strip()),
        cost=arguments.cost,
        loss=arguments.loss,
        epsilon=arguments.epsilon,
        latency=arguments.latency,
        latency_at_most=arguments.latency_at_most,
        block_loss=arguments.block_loss and arguments.block_loss.resolve(),
        original=arguments.original,
    )
    spec = table_spec(options)
    make_landscape(spec, 0)  # finds the faults
    return {spec["name"]: spec}, []


def select(what: str, text: str, known: list[str], groups: Mapping[str, list[str]] | None = None) -> list[str]:
    groups = {"all": known, **(groups or {})}
    words = [part.strip() for part in text.split(",") if part.strip()]
    names = dict.fromkeys(name for word in words for name in groups.get(word, [word]))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadTable([f"there is no {what} {name!r}; there are {', '.join([*known, *groups])}" for name in unknown])
    return list(names)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--landscapes", default="all", help="of the bench's own, separated by commas")
    parser.add_argument("--tasks", default="epsilon,front", help="also: grid (eight values of ε at once)")
    parser.add_argument(
        "--methods", default="all", help="names separated by commas; ablations: our engine and what is left of it"
    )
    parser.add_argument("--evaluations", type=int, default=60, help="of each run, the warm-up included")
    parser.add_argument("--seeds", type=int, default=20, help="number of them")
    parser.add_argument("--first-seed", type=int, default=0, help="fresh ones confirm what was chosen on others")
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes at a time; more than one blurs nothing but speed"
    )
    parser.add_argument("--fresh", action="store_true", help="forget the runs asked for and make them anew")
    parser.add_argument("--report", action="store_true", help="make no run; figures of all that are there")
    parser.add_argument("--pack", action="store_true", help="at the end move all runs into the file that is shipped")
    parser.add_argument("--json", action="store_true", help="print figures as JSON instead of tables")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of runs and reports")
    parser.add_argument("--macro", type=Path, default=MACRO, help="NAS-Bench-Macro's JSON file")
    table = parser.add_argument_group("a table of your own")
    table.add_argument("--table", type=Path, help="CSV, perhaps gzipped, one row per architecture")
    table.add_argument("--choices", help="columns that make up an architecture, separated by commas")
    table.add_argument("--cost", help="column to minimise, known exactly")
    table.add_argument("--loss", help="column of the true loss; LOSS_sem, LOSS_1, LOSS_2 … are used when there")
    table.add_argument("--epsilon", type=float, help="greatest loss")
    table.add_argument("--latency", help="column of latencies in milliseconds")
    table.add_argument("--latency-at-most", type=float, help="their bound")
    table.add_argument("--block-loss", type=Path, help="CSV with the columns stage, variant, block_loss")
    table.add_argument("--original", choices=("dearest", "first"), default="dearest", help="row to start from")
    return parser


if __name__ == "__main__":
    sys.exit(main())
