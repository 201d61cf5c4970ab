"""`python -m nas.reference train|evaluate`: the recipe from a terminal."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from nas.reference import reference_teacher_folder
from nas.reference.settings import TeacherTraining, TrainingProgress, default_plans


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m nas.reference", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train a teacher")
    train.add_argument("--output", type=Path, required=True)
    train.add_argument("--images", type=Path, help="folder of pictures; default: the bundled photographs")
    train.add_argument("--minutes", type=float, help="fit the number of steps into this time")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--resume", action="store_true")
    train.add_argument("--steps-share", type=float, default=1.0, help="scale the steps of every phase")
    evaluate = commands.add_parser("evaluate", help="measure a teacher")
    evaluate.add_argument("--teacher", type=Path, default=reference_teacher_folder())
    evaluate.add_argument("--reconstruction", type=Path, required=True, help="pictures for PSNR, whole")
    evaluate.add_argument("--noise", type=Path, required=True, help="pictures for the noise error, in crops")
    evaluate.add_argument("--report", type=Path, help="file for the figures, JSON")
    evaluate.add_argument("--sheets", type=Path, help="folder for the pictures")
    arguments = parser.parse_args()
    if arguments.command == "train":
        _train(arguments)
    else:
        _evaluate(arguments)


def _train(arguments: argparse.Namespace) -> None:
    """Train with a bar per phase."""
    from nas.reference.recipe import train_teacher

    share = arguments.steps_share
    plans = {phase: replace(plan, steps=max(1, round(plan.steps * share))) for phase, plan in default_plans().items()}
    settings = TeacherTraining(
        output=arguments.output,
        images=arguments.images,
        minutes=arguments.minutes,
        seed=arguments.seed,
        resume=arguments.resume,
        plans=plans,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TextColumn("{task.fields[loss]:.4f}"), TimeRemainingColumn()) as bars:
        tasks = {phase: bars.add_task(phase.value, total=None, loss=0.0) for phase in plans}

        def show(news: TrainingProgress) -> None:
            bars.update(tasks[news.phase], total=news.steps, completed=news.step, loss=news.loss)

        train_teacher(settings, show)


def _evaluate(arguments: argparse.Namespace) -> None:
    """Measure, show the report, and write report and pictures where asked."""
    from nas.reference.evaluate import evaluate_teacher
    from nas.reference.sheets import write_sheets

    report = evaluate_teacher(arguments.teacher, arguments.reconstruction, arguments.noise)
    text = json.dumps(asdict(report), indent=2)
    if arguments.report:
        arguments.report.write_text(text + "\n")
    if arguments.sheets:
        write_sheets(arguments.teacher, report, arguments.sheets)
    Console().print_json(text)


if __name__ == "__main__":
    main()
