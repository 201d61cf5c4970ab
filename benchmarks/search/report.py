"""Figures to read: one table per landscape and task, the best method first, and the engine against its variants."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from benchmarks.search.summary import WHOLE, Row

EXACT = "; measurements are exact, seeds differ in the methods' own draws alone"
FIGURES = "median / mean (95 % interval of the mean)"


def tables(
    found: dict[str, dict[str, dict[str, Row]]], differences: Sequence[Row], deterministic: Collection[str]
) -> dict[str, list[Row]]:
    """Rows to show, by title.

    Args:
        found: Figures by landscape, task and method.
        differences: The engine minus its variants, seed by seed.
        deterministic: Landscapes whose measurements are the truth.
    """
    shown = {}
    for landscape, tasks in found.items():
        for task, methods in tasks.items():
            note = EXACT if landscape in deterministic else ""
            shown[f"{landscape}, task {task}: {_what(task)}, {FIGURES}{note}"] = _rows(methods, task)
    for task in dict.fromkeys(row["task"] for row in differences):
        better = "above 0" if task == "front" else "below 0"
        title = f"{WHOLE} minus its variants, task {task}: {_what(task)} paired by seed, mean (its 95 % interval)"
        own = [row for row in differences if row["task"] == task]
        shown[f"{title}; {better} the engine is better than the variant"] = [_difference(row, own) for row in own]
    return shown


def _what(task: str) -> str:
    return "hypervolume" if task == "front" else "regret"


def _rows(methods: dict[str, Row], task: str) -> list[Row]:
    """Methods from best to worst by the mean at the last point that all of them have."""
    what = _what(task)
    points = sorted({int(n) for row in methods.values() for n in row[what]})
    common = [str(n) for n in points if all(str(n) in row[what] for row in methods.values())]
    sign = -1 if task == "front" else 1

    def merit(name: str) -> float:
        values = methods[name][what]
        return sign * float(values[common[-1] if common else max(values, key=int)]["mean"])

    best_first = sorted(methods, key=merit)
    saves = any(row["saved"] > 0 for row in methods.values())
    rows = {name: _row(name, methods[name], task, [str(n) for n in points]) for name in best_first}
    return [rows[name] | (_cost(methods[name], points) if saves else {}) for name in best_first]


def _cost(row: Row, points: list[int]) -> Row:
    """What evaluations cost where some methods end them early."""
    cost = row["evaluation_cost"]
    shown: Row = {f"cost of {n}": f"{cost[str(n)]:.1f}" if str(n) in cost else "" for n in points}
    return shown | {"saved": f"{row['saved']:.0%}", "stopped wrongly, a run": row["stopped_wrongly"]}


def _row(name: str, row: Row, task: str, points: list[str]) -> Row:
    shown: Row = {"method": name, "seeds": row["runs"]}
    shown |= {f"at {n}": _interval(row[_what(task)].get(n)) for n in points}
    whole = "solved" if task == "epsilon" else "all ε solved"
    if task != "front":
        shown |= {f"{whole} at {n}": _share(row["solved"].get(n)) for n in points}
        shown["evaluations to 2 %" if task == "epsilon" else "evaluations to 2 % at all ε"] = _needed(row)
    if task != "epsilon":
        shown |= {f"of the ε solved at {n}": _share(row["grid_solved"].get(n)) for n in points}
    shown["CPU s"] = row["cpu_s_per_suggestion"]
    shown["CPU s at the end"] = row["cpu_s_at_the_end"]
    shown["peak MB"] = row["peak_mb"]
    shown["repeats"] = row["repeats"]
    return shown


def _difference(row: Row, rows: Sequence[Row]) -> Row:
    points = sorted({int(n) for other in rows for n in other if n.isdigit()})
    values = {f"at {n}": row.get(str(n)) for n in points}
    return {
        **{key: row[key] for key in ("landscape", "variant", "seeds")},
        **{
            point: f"{own['mean']:+.4f} ({own['low']:+.4f} to {own['high']:+.4f})" if own else ""
            for point, own in values.items()
        },
    }


def _interval(values: dict[str, float] | None) -> str:
    if values is None:
        return ""
    return f"{values['median']:.3f} / {values['mean']:.3f} ({values['low']:.3f} to {values['high']:.3f})"


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _needed(row: Row) -> str:
    """Median number of evaluations until a run was solved."""
    number = row["evaluations_to_2_percent"]
    return f"more than {row['evaluations']}" if number is None else f"{number:g}"
