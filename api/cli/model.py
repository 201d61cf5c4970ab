"""Commands about networks and machines: cost, catalogue, doctor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli.connection import KeyOption, Place, UrlOption
from api.cli.console import DataOption, JsonOption, console, print_json, print_table


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
    if as_json:
        print_json(report)
        return
    rows = [
        (s["stage"], f"{s['params']:,}", f"{s['gmacs']:.3f}", f"{s['gmacs_without_attention_products']:.3f}")
        for s in report["stages"]
    ]
    whole = f"{report['gmacs']:.3f}", f"{report['gmacs_without_attention_products']:.3f}"
    rows.append(("whole", f"{report['params']:,}", *whole))
    title = f"{teacher} at {latent} x {latent} latents, {tokens} tokens, batch 1"
    print_table(title, ("stage", "params ", "GMACs ", "GMACs without attention products "), rows)


def catalogue(as_json: JsonOption = False) -> None:
    """List what specs may name: block variants per stage, metrics, strategies, devices."""
    from api.teachers import catalogue_document

    document = catalogue_document()
    if as_json:
        print_json(document)
        return
    for kind, entries in document.items():
        print_table(kind, ("name", "meaning"), list(entries.items()))


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
        print_json([finding.model_dump(mode="json") for finding in findings])
    if any(finding.verdict == "failed" for finding in findings):
        sys.exit(1)


def export(
    search: Annotated[str, typer.Argument(help="Id of a search, or `latest`.")] = "latest",
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
    if as_json:
        print_json(report)
        return
    console.print(
        f"Trial {report['trial']} of {report['search']} is in {output}: diffusers folder, model.onnx, report.json"
    )


def evaluate(
    folder: Annotated[Path, typer.Argument(help="A folder written by `blocksmith export`.")],
    as_json: JsonOption = False,
) -> None:
    """Judge an exported network again and compare with what its report says."""
    from api.exports import evaluate_export

    document = evaluate_export(folder)
    if as_json:
        print_json(document)
        return
    rows = [(name, f"{v['recorded']:.6g}", f"{v['now']:.6g}") for name, v in document["metrics"].items()]
    print_table(f"{folder}: fidelity recorded and now", ("metric", "recorded ", "now "), rows)


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
