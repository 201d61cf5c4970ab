"""Commands about networks and machines: cost, catalogue, doctor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli.connection import Place
from api.cli.console import answer, console, table
from api.cli.options import DataOption, JsonOption, KeyOption, SearchArgument, UrlOption


def cost(
    teacher: Annotated[
        str, typer.Option(help="`reference`, a diffusers folder (a config.json is enough), or a hub name.")
    ] = "reference",
    latent: Annotated[int, typer.Option(min=1, max=1024, help="Height and width of a latent.")] = 64,
    tokens: Annotated[int, typer.Option(min=1, max=4096, help="Conditioning tokens.")] = 77,
    as_json: JsonOption = False,
) -> None:
    """Count params and MACs of a teacher, per stage, without loading its weights."""
    from nas.domain.teacher import TeacherRef
    from nas.estimation.cost import network_cost

    report = network_cost(TeacherRef(source=teacher), latent=latent, tokens=tokens)
    rows = [
        (s["stage"], f"{s['params']:,}", f"{s['gmacs']:.3f}", f"{s['gmacs_without_attention_products']:.3f}")
        for s in report["stages"]
    ]
    whole = f"{report['gmacs']:.3f}", f"{report['gmacs_without_attention_products']:.3f}"
    rows.append(("whole", f"{report['params']:,}", *whole))
    title = f"{teacher} at {latent} x {latent} latents, {tokens} tokens, batch 1"
    columns = ("stage", "params ", "GMACs ", "GMACs without attention products ")
    answer(report, table(title, columns, rows), as_json=as_json)


def catalogue(as_json: JsonOption = False) -> None:
    """List what specs may name: block variants per stage, metrics, strategies, devices."""
    from api.teachers import catalogue_document

    document = catalogue_document()
    tables = [table(kind, ("name", "meaning"), list(entries.items())) for kind, entries in document.items()]
    answer(document, *tables, as_json=as_json)


def doctor(data: DataOption = None, url: UrlOption = None, as_json: JsonOption = False) -> None:
    """Check this machine, its data directory and its server, and say what to do where something is amiss."""
    from api.doctor import examine
    from api.installation import Installation

    findings = []
    marks = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "failed": "[bold red]failed[/]"}
    for finding in examine(Installation(data), url):
        findings.append(finding)
        if not as_json:
            console.print(f"{marks[finding.verdict]:>18}  [bold]{finding.check}[/]  {finding.detail}")
            if finding.remedy:
                console.print(f"          {finding.remedy}")
    if as_json:
        answer(findings, as_json=True)
    if any(finding.verdict == "failed" for finding in findings):
        sys.exit(1)


def export(
    search: SearchArgument = "latest",
    trial: Annotated[int | None, typer.Option(min=0, help="Trial to export (default: the best).")] = None,
    output: Annotated[Path, typer.Option(help="Folder to write.")] = Path("winner"),
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a trial's network as a diffusers folder with ONNX and a report."""
    from api.cli.output import write_network

    place = Place(data, url, key)
    with place.client() as client:
        report = write_network(place, client, client.search(search).search, trial, output)
    written = f"Trial {report['trial']} of {report['search']} is in {output}"
    answer(report, f"{written}: diffusers folder, model.onnx, report.json", as_json=as_json)


def evaluate(
    folder: Annotated[Path, typer.Argument(help="A folder written by `blocksmith export`.")],
    as_json: JsonOption = False,
) -> None:
    """Judge an exported network again and compare with what its report says."""
    from api.exports import evaluate_export

    document = evaluate_export(folder)
    rows = [(name, f"{v['recorded']:.6g}", f"{v['now']:.6g}") for name, v in document["metrics"].items()]
    title = f"{folder}: fidelity recorded and now"
    answer(document, table(title, ("metric", "recorded ", "now "), rows), as_json=as_json)


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    for command, panel in (
        (export, "Results"),
        (evaluate, "Results"),
        (cost, "Models"),
        (catalogue, "Models"),
        (doctor, "Service"),
    ):
        app.command(rich_help_panel=panel)(command)
