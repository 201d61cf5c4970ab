"""The landscapes of the bench, each by what can be written down of it."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.search.landscape import Landscape
from benchmarks.search.macro import nas_bench_macro
from benchmarks.search.synthetic import MirrorPairs, synthetic
from benchmarks.search.tables import TableOptions, load_table

TABLES = Path(__file__).parent / "tables"
MACRO = Path(__file__).parents[2].parent / "shared" / "data" / "nas-bench-macro" / "nas-bench-macro_cifar10.json"
REFERENCE = TABLES / "reference.csv.gz"
REFERENCE_BLOCKS = TABLES / "reference-blocks.csv"
SYNTHETIC = ("syn", "syn-shuffled", "syn-18")

MEASURED = ("params", "gmacs", "latency", "table_latency", "noise_mse")
"""How the columns of the reference table begin that are not choices."""

Spec = dict[str, Any]
"""What makes a landscape, as JSON: `kind` and, for tables, the options."""


def make_landscape(spec: Spec, seed: int) -> Landscape:
    """The landscape of a run. Of synthetic families every seed has an instance of its own."""
    return _make(json.dumps(spec, sort_keys=True), seed if spec["kind"] in SYNTHETIC else 0)


@cache
def _make(text: str, instance: int) -> Landscape:
    spec = json.loads(text)
    if spec["kind"] == "syn-18":
        return MirrorPairs(instance)
    if spec["kind"] in SYNTHETIC:
        return synthetic(instance, shuffled=spec["kind"] == "syn-shuffled")
    if spec["kind"] == "nas-bench-macro":
        return nas_bench_macro(Path(spec["path"]))
    return load_table(_options(spec["options"]), spec.get("name"))


def table_spec(options: TableOptions, name: str | None = None) -> Spec:
    """How a table is written down."""
    document = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(options).items()}
    return {"kind": "table", "name": name or options.table.name.split(".")[0], "options": document}


def _options(document: Spec) -> TableOptions:
    paths = {key: Path(document[key]) for key in ("table", "block_loss") if document[key]}
    return TableOptions(**{**document, **paths, "choices": tuple(document["choices"])})


def standard(macro: Path = MACRO) -> tuple[dict[str, Spec], list[str]]:
    """The bench's own landscapes by name, and a line for each that is not here."""
    found: dict[str, Spec] = {}
    missing = []
    if REFERENCE.exists():
        found["reference"] = table_spec(reference_options(), "reference")
    else:
        missing.append(f"reference: skipped, there is no {REFERENCE.name}")
    if macro.exists():
        found["nas-bench-macro"] = {"kind": "nas-bench-macro", "path": str(macro)}
    else:
        missing.append(f"nas-bench-macro: skipped, there is no {macro.name} (give --macro FILE)")
    return found | {kind: {"kind": kind} for kind in SYNTHETIC}, missing


def reference_options() -> TableOptions:
    """Our own truth: multiplications under the bound on the noise error of our examples.

    Parameters would be too easy a cost here: the inner levels hold most of them and hardly matter to the loss.
    """
    with gzip.open(REFERENCE, "rt", encoding="utf-8") as file:
        columns = next(csv.reader(file))
    return TableOptions(
        table=REFERENCE,
        choices=tuple(column for column in columns if not column.startswith(MEASURED)),
        cost="gmacs",
        loss="noise_mse",
        epsilon=0.05,
        block_loss=REFERENCE_BLOCKS if REFERENCE_BLOCKS.exists() else None,
        original="first",
    )
