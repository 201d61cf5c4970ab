"""Commands that ask a search about itself: health, recommend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.connection import Place
from api.cli.console import answer, table
from api.cli.options import DataOption, JsonOption, KeyOption, SearchArgument, UrlOption
from nas.errors import Fault, SpecError

if TYPE_CHECKING:
    from rich.table import Table

    from api.schemas.insight import ChoiceDocument, HealthReport, RecommendationDocument

_MARKS = {"problem": "problem", "warning": "warning", "note": "note", "good": "ok"}


def health(
    search: SearchArgument = "latest",
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell how far the model of a search can be trusted, what it has learned, and whether to go on."""
    with Place(data, url, key).client() as client:
        report = client.health(client.search(search).search)
    title = f"Health of {report.search}: {report.verdict}. {report.summary}"
    findings = [(_MARKS[one.severity], one.finding, one.remedy) for one in report.findings]
    tables = [table("Findings", ("", "finding", "remedy"), findings)] if findings else []
    answer(report, title, *_models(report), *tables, as_json=as_json)


def recommend(
    search: SearchArgument = "latest",
    bound: Annotated[
        list[str] | None,
        typer.Option(help="What if: METRIC=VALUE, or METRIC=inf for none; may be repeated.", metavar="METRIC=VALUE"),
    ] = None,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recommend an architecture by the model, under the bounds in force or under others."""
    bounds = dict(_parsed(one) for one in bound or ())
    with Place(data, url, key).client() as client:
        found = client.recommendation(client.search(search).search, bounds)
    subject = ", ".join(f"{metric} ≤ {value:g}" for metric, value in found.bounds.items()) or "no bounds"
    title = f"Least {' and '.join(found.objectives)} with {subject}, from {found.points} trials of {found.search}"
    answer(found, *_choices(title, found), as_json=as_json)


def _models(report: HealthReport) -> list[Table | str]:
    rows = []
    for metric in report.metrics:
        errors = metric.leave_one_out
        if errors is None:
            rows.append((metric.metric, str(metric.points), "", "", "", ""))
            continue
        tau = "" if errors.kendall_tau is None else f"{errors.kendall_tau:.2f}"
        inside = f"{100 * errors.coverage['95']:.0f} %"
        rows.append(
            (metric.metric, str(metric.points), f"{errors.factor:.3f}", tau, inside, metric.decisive_stage or "")
        )
    columns = ("metric", "points ", "off by a factor of ", "tau ", "in 95 % intervals ", "decisive stage")
    return [table("Predictions, each without its own measurement", columns, rows)] if rows else []


def _choices(title: str, found: RecommendationDocument) -> list[Table | str]:
    named = [("recommended", one) for one in found.recommended]
    named += [("best measured", found.luckiest)] if found.luckiest else []
    named += [("untried", found.untried)] if found.untried else []
    missed = [
        f"Trial {miss.trial} misses " + ", ".join(f"{m} by a factor of {f:.3g}" for m, f in miss.factors.items())
        for miss in found.nearest_misses
    ]
    if not named:
        return [f"{title}: nothing to recommend yet.", *missed]
    metrics = list(named[0][1].metrics)
    rows = [(how, *_row(one, metrics)) for how, one in named]
    columns = ("", "trial ", "probability ", *(f"{metric} " for metric in metrics), "architecture")
    return [table(title, columns, rows), *missed]


def _row(choice: ChoiceDocument, metrics: list[str]) -> tuple[str, ...]:
    shown = []
    for metric in metrics:
        value = choice.metrics[metric]
        interval = "" if value.low == value.high else f" [{value.low:.4g}, {value.high:.4g}]"
        shown.append(f"{value.predicted:.6g}{interval}")
    changed = " ".join(f"{s}={v}" for s, v in choice.architecture.items() if v != "teacher") or "the teacher"
    return ("" if choice.trial is None else str(choice.trial), f"{choice.probability:.2f}", *shown, changed)


def _parsed(bound: str) -> tuple[str, float]:
    metric, _, number = bound.partition("=")
    try:
        value = float(number)
    except ValueError:
        raise SpecError((Fault("--bound", f"{bound!r} is no bound", "noise_mse=0.02"),)) from None
    return metric, value


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    for command in (health, recommend):
        app.command(rich_help_panel="Results")(command)
