"""Anybody's table as a landscape.

One row per architecture, in a CSV file (perhaps gzipped): one column per choice, a cost, a loss; where there are any,
`LOSS_sem` (standard error), `LOSS_1`, `LOSS_2` … (measurements: a method sees one of them, the truth is LOSS),
`LOSS_samples_1_8`, `_1_4`, `_1_2` (after so many of the samples, for methods that stop early; they need `LOSS_sem`,
of which a share `s` has 1/√s as much) and a latency. Incomplete tables are welcome: what is absent cannot be
suggested. Block losses: `stage,variant,block_loss`.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.search.landscape import Bounds
from benchmarks.search.listed import TableLandscape
from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.stopping import PARTS
from nas.strategy.pricing import Prices

Row = dict[str, str]


class BadTable(Exception):
    """All that is wrong with the input, in one sentence each."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults) + ".")
        self.faults = tuple(faults)


@dataclass(frozen=True)
class TableOptions:
    """Which columns of a table mean what.

    Attributes:
        table: CSV file, perhaps gzipped.
        choices: Columns that make up an architecture.
        cost: Column to minimise.
        loss: Column of the true loss.
        epsilon: Greatest loss of the ε task.
        latency: Column of latencies in milliseconds, if any.
        latency_at_most: Their bound in the ε task, if any.
        block_loss: CSV file of block losses, if any.
        original: Whether the `first` or the `dearest` row is the network to start from.
    """

    table: Path
    choices: tuple[str, ...]
    cost: str
    loss: str
    epsilon: float
    latency: str | None = None
    latency_at_most: float | None = None
    block_loss: Path | None = None
    original: str = "dearest"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that have to hold numbers."""
        return (self.cost, self.loss, *([self.latency] if self.latency else []))


def load_table(options: TableOptions, name: str | None = None) -> TableLandscape:
    """The landscape in a table.

    Raises:
        BadTable: With every fault at once.
    """
    columns, rows = _read(options.table)
    faults = _faults_of(options, columns, rows)
    blocks, more = _blocks(options)
    faults += more
    if faults:
        raise BadTable(faults)
    numbers = {column: np.array([float(row[column]) for row in rows]) for column in _numeric(options, columns)}
    first = int(np.argmax(numbers[options.cost])) if options.original == "dearest" else 0
    values = [_values(choice, rows, numbers[options.cost], rows[first][choice]) for choice in options.choices]
    replicates = _replicates(options, columns)
    landscape = TableLandscape(
        name or options.table.name.split(".")[0],
        _space(options.choices, values),
        np.array(
            [[known.index(row[c]) for c, known in zip(options.choices, values, strict=True)] for row in rows],
            np.int16,
        ),
        numbers[options.cost],
        numbers[options.loss],
        Bounds(options.epsilon, options.latency_at_most),
        sems=numbers.get(f"{options.loss}_sem"),
        replicates=np.column_stack([numbers[column] for column in replicates]) if replicates else None,
        latencies=numbers[options.latency] if options.latency else None,
        block_losses=_block_losses(options, values, blocks) if blocks else None,
        rough={share: numbers[column] for share, column in _rough(options, columns).items()},
    )
    if not landscape.is_feasible(landscape.codes).any():
        raise BadTable([_hopeless(options, landscape)])
    return landscape


def _read(path: Path) -> tuple[list[str], list[Row]]:
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text))
        rows = list(reader)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise BadTable([f"{path.name} cannot be read as CSV ({error})"]) from None
    return list(reader.fieldnames or ()), rows


def _blocks(options: TableOptions) -> tuple[list[Row], list[str]]:
    """Rows of the file of block losses, and what is wrong with it by itself."""
    if options.block_loss is None:
        return [], []
    name = options.block_loss.name
    try:
        columns, rows = _read(options.block_loss)
    except BadTable as bad:
        return [], list(bad.faults)
    faults = [
        f"{name} has no column {column!r}" for column in ("stage", "variant", "block_loss") if column not in columns
    ]
    if not rows:
        return [], [*faults, f"{name} has no rows"]
    wrong = [row.get("block_loss") for row in rows if not _is_number(row.get("block_loss"))]
    if wrong and not faults:
        faults.append(f"{name} holds a block loss of {wrong[0]!r}: not a number of 0 or above")
    return rows, faults


def _faults_of(options: TableOptions, columns: list[str], rows: list[Row]) -> list[str]:
    name = options.table.name
    wanted = (*options.choices, *options.columns)
    faults = [f"{name} has no column {column!r}" for column in dict.fromkeys(wanted) if column not in columns]
    faults += [f"column {column!r} is asked for twice" for column in {c for c in wanted if wanted.count(c) > 1}]
    if options.latency_at_most is not None and not options.latency:
        faults.append("a bound on latency needs --latency")
    if not options.epsilon > 0 or not math.isfinite(options.epsilon):
        faults.append(f"epsilon has to be a positive number, not {options.epsilon}")
    if not rows:
        return [*faults, f"{name} has no rows"]
    for column in _numeric(options, columns):
        bad = [(n, row[column]) for n, row in enumerate(rows, start=2) if not _is_number(row[column])]
        if bad:
            line, text = bad[0]
            more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            faults.append(f"column {column!r} holds {text!r} in line {line}{more}: not a number of 0 or above")
    faults += _repeats(options, [c for c in options.choices if c in columns], rows)
    return faults


def _repeats(options: TableOptions, choices: list[str], rows: list[Row]) -> list[str]:
    if len(choices) < len(options.choices):
        return []
    first: dict[tuple[str, ...], int] = {}
    repeated = []
    for line, row in enumerate(rows, start=2):
        architecture = tuple(row[choice] for choice in choices)
        if first.setdefault(architecture, line) != line:
            repeated.append((first[architecture], line))
    if not repeated:
        return []
    more = f", and {len(repeated) - 1} more repeat" if len(repeated) > 1 else ""
    return [f"lines {repeated[0][0]} and {repeated[0][1]} are the same architecture{more}"]


def _is_number(text: str | None) -> bool:
    try:
        value = float(text or "")
    except ValueError:
        return False
    return math.isfinite(value) and value >= 0


def _numeric(options: TableOptions, columns: list[str]) -> list[str]:
    extra = [f"{options.loss}_sem", *_replicates(options, columns), *_rough(options, columns).values()]
    return [column for column in dict.fromkeys((*options.columns, *extra)) if column in columns]


def _replicates(options: TableOptions, columns: list[str]) -> list[str]:
    return [column for column in columns if re.fullmatch(re.escape(options.loss) + r"_\d+", column)]


def _rough(options: TableOptions, columns: list[str]) -> dict[float, str]:
    named = {1 / part: f"{options.loss}_samples_1_{part}" for part in PARTS}
    return {share: column for share, column in named.items() if column in columns}


def _values(choice: str, rows: list[Row], costs: Prices, original: str) -> list[str]:
    """A choice's values: the original first, then from dear to cheap, by the mean cost of the rows that have them."""
    sums: dict[str, list[float]] = {}
    for row, cost in zip(rows, costs.tolist(), strict=True):
        sums.setdefault(row[choice], []).append(cost)
    others = sorted((value for value in sums if value != original), key=lambda v: (-float(np.mean(sums[v])), v))
    return [original, *others]


def _space(choices: tuple[str, ...], values: list[list[str]]) -> SearchSpace:
    """Variants are named as in the table, but for the original's, which is the teacher's."""
    stages = []
    for choice, known in zip(choices, values, strict=True):
        others = [f"{value} (not the original)" if value == TEACHER_VARIANT else value for value in known[1:]]
        stages.append(StageChoices(stage=choice, variants=(TEACHER_VARIANT, *others)))
    return SearchSpace(stages=tuple(stages))


def _block_losses(options: TableOptions, values: list[list[str]], blocks: list[Row]) -> list[Prices]:
    assert options.block_loss is not None
    name = options.block_loss.name
    known = {(row["stage"], row["variant"]): float(row["block_loss"]) for row in blocks}
    pairs = [(choice, value) for choice, own in zip(options.choices, values, strict=True) for value in own[1:]]
    absent = [f"{stage}/{variant}" for stage, variant in pairs if (stage, variant) not in known]
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise BadTable([f"{name} has no block loss of {absent[0]}{more}"])
    return [
        np.array([known.get((choice, own[0]), 0.0), *(known[choice, value] for value in own[1:])])
        for choice, own in zip(options.choices, values, strict=True)
    ]


def _hopeless(options: TableOptions, landscape: TableLandscape) -> str:
    least = f"the least {options.loss} is {landscape.losses.min():.6g}"
    if options.latency_at_most is None:
        return f"no architecture has {options.loss} of at most {options.epsilon:g}: {least}"
    return (
        f"no architecture has {options.loss} of at most {options.epsilon:g} and {options.latency} of at most "
        f"{options.latency_at_most:g} together: {least}"
    )
