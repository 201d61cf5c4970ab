"""Commands about teachers: train one like the reference, measure it, show what is shipped."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.console import answer, errors, table
from api.cli.options import JsonOption

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(help="Train, measure and show teachers.", no_args_is_help=True)


@app.command()
def train(
    output: Annotated[Path, typer.Option(help="Folder of the finished teacher.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of pictures (default: the photographs inside the dependencies).")
    ] = None,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="Fit the training into this time.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides data order, noise and first weights.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoints in the output folder.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a small latent diffusion model by the recipe of the reference teacher."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from nas.reference.recipe import train_teacher
    from nas.reference.settings import TeacherTraining, TrainingProgress

    settings = TeacherTraining(output=output, images=images, minutes=minutes, seed=seed, resume=resume)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=as_json) as progress:
        tasks = {phase: progress.add_task(phase.value, total=None) for phase in settings.plans}

        def show(news: TrainingProgress) -> None:
            label = f"{news.phase.value}  [dim]loss {news.loss:.4f}[/]"
            progress.update(tasks[news.phase], total=news.steps, completed=news.step, description=label)

        folder = train_teacher(settings, show)
    made = f"The teacher is in {folder}. Use it: `teacher: {{source: {folder}}}` in a spec."
    answer({"teacher": str(folder)}, made, as_json=as_json)


@app.command()
def evaluate(
    reconstruction: Annotated[Path, typer.Option(help="Pictures to reconstruct whole.")],
    noise: Annotated[Path, typer.Option(help="Pictures, never trained on, whose crops are noised.")],
    teacher: Annotated[Path | None, typer.Option(help="Teacher folder (default: the reference).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a teacher: reconstruction against PCA, noise error against the best linear denoiser."""
    from nas.reference import reference_teacher_folder
    from nas.reference.evaluate import evaluate_teacher

    report = evaluate_teacher(teacher or reference_teacher_folder(), reconstruction, noise)
    document = asdict(report)
    answer(document, *_quality(document), as_json=as_json)


@app.command()
def show(as_json: JsonOption = False) -> None:
    """Show the reference teacher and its measured quality."""
    from nas.errors import NotFound
    from nas.reference import reference_teacher_folder

    file = reference_teacher_folder() / "report.json"
    if not file.is_file():
        raise NotFound("The reference teacher has no report.", "Measure it: blocksmith teacher evaluate")
    document = json.loads(file.read_text(encoding="utf-8"))
    answer(document, *_quality(document), as_json=as_json)


def _quality(document: dict[str, Any]) -> tuple[Table, Table]:
    rows = [(r["picture"], f"{r['teacher_db']:.2f}", f"{r['pca_db']:.2f}") for r in document["reconstructions"]]
    rows.append(("mean", f"{document['teacher_db']:.2f}", f"{document['pca_db']:.2f}"))
    bands = [
        (
            f"{b['first']}-{b['last']}",
            f"{b['teacher']:.4f}",
            f"{b['linear']:.4f}",
            f"{b['teacher'] / b['linear']:.2f}",
        )
        for b in document["noise_bands"]
    ]
    return (
        table("Reconstruction, RGB PSNR [dB]", ("picture", "teacher ", "PCA "), rows),
        table("Noise-prediction error", ("timesteps", "teacher ", "linear ", "ratio "), bands),
    )
