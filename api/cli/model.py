"""Commands about networks and machines: cost, catalogue, doctor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.connection import Place
from api.cli.console import answer, console, table
from api.cli.options import DataOption, JsonOption, KeyOption, SearchArgument, UrlOption
from nas.domain.device import Precision


def cost(
    teacher: Annotated[
        str, typer.Option(help="`reference`, a diffusers folder (a config.json is enough), or a hub name.")
    ] = "reference",
    variants: Annotated[
        list[str] | None, typer.Option("--variant", help="Another block at a stage, as in E1=RA; repeat for more.")
    ] = None,
    search: Annotated[str | None, typer.Option(help="Take teacher and architecture from a search's --trial.")] = None,
    trial: Annotated[int | None, typer.Option(min=0, help="Trial of --search (default: the best).")] = None,
    latent: Annotated[int, typer.Option(min=1, max=1024, help="Height and width of a latent.")] = 64,
    tokens: Annotated[int, typer.Option(min=1, max=4096, help="Conditioning tokens.")] = 77,
    precision: Annotated[Precision, typer.Option(help="That bytes are told in.")] = "fp32",
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count params, MACs and memory of a teacher or of any architecture, per stage, without loading weights."""
    from api.cli.subjects import chosen_trial, variants_of
    from nas.domain.architecture import Architecture
    from nas.domain.teacher import TeacherRef
    from nas.domain.value import FrozenDict
    from nas.estimation.cost_report import network_cost

    ref, chosen = TeacherRef(source=teacher), dict[str, str]()
    if search is not None or trial is not None:
        found = chosen_trial(Place(data, url, key), search or "latest", trial)
        ref, chosen = found.spec.teacher, found.choices
        latent = found.spec.calibration.latent_size or latent
    architecture = Architecture(choices=FrozenDict(chosen | variants_of(variants or [])))
    report = network_cost(ref, latent, tokens, architecture, precision)
    rows = [(one["stage"], architecture.choices.get(one["stage"], ""), *_figures(one)) for one in report["stages"]]
    rows.append(("whole", "", *_figures(report)))
    title = f"{ref.source} at {latent} x {latent} latents, {tokens} tokens, batch 1, {precision}"
    columns = ("stage", "variant", "params ", "GMACs ", "without QK, AV ", "weights MB ", "peak MB ")
    answer(report, table(title, columns, rows), as_json=as_json)


def _figures(part: dict[str, Any]) -> tuple[str, ...]:
    work = (f"{part[name]:.3f}" for name in ("gmacs", "gmacs_without_attention_products"))
    memory = (f"{part[name] / 1e6:.2f}" for name in ("weight_bytes", "activation_peak_bytes"))
    return f"{part['params']:,}", *work, *memory


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
