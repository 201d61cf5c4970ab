"""Where benchmarks write, and on what machine they ran."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def write_results(
    name: str,
    document: Mapping[str, Any],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    folder: Path = RESULTS,
) -> Path:
    """Write `results/NAME.json` and `results/NAME.md`; returns the Markdown's path.

    Args:
        name: Name of the benchmark.
        document: Everything measured.
        tables: Rows to show, by title; the first row's keys are the columns.
        folder: Instead of `results`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"machine": machine(), **document}
    (folder / f"{name}.json").write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    text = [f"# {name}", "", f"{whole['machine']['processor']}, {whole['machine']['cores']} cores.", ""]
    for title, rows in tables.items():
        text += [f"## {title}", "", *markdown_table(rows), ""]
    path = folder / f"{name}.md"
    path.write_text("\n".join(text), encoding="utf-8")
    return path


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A Markdown table; numbers to four significant digits."""
    if not rows:
        return ["(nothing)"]
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(row.get(column, "")) for column in columns) + " |" for row in rows]
    return lines


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {"processor": _processor(), "cores": os.cpu_count(), "python": platform.python_version()}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
