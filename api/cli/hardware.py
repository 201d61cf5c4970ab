"""`blocksmith hardware`: how params, MACs and latencies of a search agree, device by device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.connection import Place
from api.cli.console import answer, table
from api.cli.options import DataOption, JsonOption, KeyOption, SearchArgument, UrlOption

if TYPE_CHECKING:
    from rich.table import Table

    from api.schemas.hardware import HardwareReport


def hardware(
    search: SearchArgument = "latest",
    plot: Annotated[Path | None, typer.Option(help="Also draw it into this PNG or SVG file.")] = None,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell how params, MACs and latencies of a search agree, which stages buy latency, and who misleads whom."""
    with Place(data, url, key).client() as client:
        report = client.hardware(client.search(search).search)
    if not report.complete:
        answer(
            report, f"The block library of {report.search} is not complete yet: nothing to compare.", as_json=as_json
        )
        return
    drawn: tuple[str, ...] = ()
    if plot is not None:
        from api.hardware_plot import plot_hardware

        plot_hardware(report, plot)
        drawn = (f"Drawn into {plot}",)
    examples = [one.words for one in report.counter_examples]
    answer(
        report,
        _agreement(report),
        _stages(report),
        *_fronts(report),
        *_additivity(report),
        *examples,
        *drawn,
        as_json=as_json,
    )


def _agreement(report: HardwareReport) -> Table:
    rows = [
        (one.first, one.second, one.over, f"{one.count:,}", _signed(one.kendall_tau), _signed(one.spearman))
        for one in report.agreement
    ]
    columns = ("figure", "and", "over", "count ", "Kendall ", "Spearman ")
    return table(f"Agreement in order, {report.search}", columns, rows)


def _stages(report: HardwareReport) -> Table:
    figures = list(report.stages[0].share) if report.stages else []
    rows = [
        (one.stage, *(f"{100 * one.share[f]:.1f} (-{100 * one.saves_at_most[f]:.1f})" for f in figures))
        for one in report.stages
    ]
    title = "Share of the teacher in %, and what the cheapest variant saves of the whole"
    return table(title, ("stage", *(f"{figure} " for figure in figures)), rows)


def _fronts(report: HardwareReport) -> list[Table]:
    if report.fronts is None:
        return []
    rows = [
        (name, f"{len(members)}", ", ".join(map(str, members[:12])) + (" ..." if len(members) > 12 else ""))
        for name, members in report.fronts.members.items()
    ]
    return [table(f"Front of each figure against {report.fronts.against}", ("figure", "trials ", "which"), rows)]


def _additivity(report: HardwareReport) -> list[Table]:
    rows = [
        (
            one.device,
            str(one.count),
            f"{100 * one.bias:+.1f} %",
            f"{100 * one.mean_error:.1f} %",
            f"{100 * one.worst_error:.1f} %",
            "" if one.corrected_error is None else f"{100 * one.corrected_error:.1f} %",
            _signed(one.kendall_tau),
        )
        for one in report.additivity
    ]
    columns = ("device", "networks ", "bias ", "mean error ", "worst ", "after correction ", "Kendall ")
    return [table("Sum of isolated blocks against assembled networks", columns, rows)] if rows else []


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"


def register(app: typer.Typer) -> None:
    """Enter the command."""
    app.command(rich_help_panel="Results")(hardware)
