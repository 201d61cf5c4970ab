"""`blocksmith device measure`: how long a file or a trial takes on devices, without any search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.connection import Place
from api.cli.console import answer, table, working
from api.cli.options import DataOption, JsonOption, KeyOption, UrlOption
from nas.domain.device import LatencyMeasurement, LatencyProtocol, LayerLatency, Precision
from nas.errors import Fault, NasError, SpecError

if TYPE_CHECKING:
    from nas.estimation.devices.base import Subject

_MOST_LAYERS = 15


def measure(
    subject: Annotated[str, typer.Argument(help="An ONNX file, the number of a trial, or `best`.")],
    devices: Annotated[list[str] | None, typer.Option("--device", help="Device; repeat for more.")] = None,
    search: Annotated[str, typer.Option(help="Search of the trial.")] = "latest",
    shapes: Annotated[
        list[str] | None, typer.Option("--shape", help="Shape of an input that a file leaves open: sample=1,4,64,64.")
    ] = None,
    precision: Annotated[Precision | None, typer.Option(help="Default: the first that the device runs.")] = None,
    threads: Annotated[int, typer.Option(min=1, max=256)] = 1,
    repeats: Annotated[int, typer.Option(min=3, max=100_000, help="Timed calls, at least.")] = 30,
    seconds: Annotated[float, typer.Option(min=0, max=600, help="Seconds of timed calls, at least.")] = 1.0,
    profile: Annotated[bool, typer.Option("--profile", help="Also tell where the time goes.")] = False,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a network on devices of this machine: an ONNX file, or a trial of a search.

    Every figure says whether a clock measured it, a compiler estimated it, or a model predicted it. Calls take
    turns with a small network that never changes (the canary); the ratio holds when the machine's speed drifts.
    """
    from nas.estimation.devices import DEVICES

    backends = {name: DEVICES.get(name) for name in devices or ["host"]}
    found, title, stages = _subject(subject, Place(data, url, key), search, shapes or [])
    documents = []
    for name, backend in backends.items():
        protocol = LatencyProtocol(
            precision=precision or backend.precisions[0], threads=threads, repeats=repeats, seconds=seconds
        )
        with working(f"measuring on {name}", quiet=as_json):
            documents.append(_measured(name, backend, found, protocol, stages, profiled=profile))
    answer(documents, *_tables(title, documents), as_json=as_json)
    if all("error" in document for document in documents):
        raise typer.Exit(1)


def _measured(
    name: str, backend: Any, subject: Subject, protocol: LatencyProtocol, stages: tuple[str, ...], *, profiled: bool
) -> dict[str, Any]:
    """A measurement as a document; what a device cannot do stands under `error`, so that others still answer."""
    from nas.estimation.layer_times import by_stage

    try:
        one: LatencyMeasurement = backend.measure(subject, protocol)
        layers: tuple[LayerLatency, ...] = backend.profile(subject, protocol) if profiled else ()
    except NasError as error:
        return {"device": name, "error": str(error)}
    document = one.model_dump(mode="json", exclude={"kind"})
    document |= {"device": name, "fingerprint": one.device.model_dump(mode="json")}
    if profiled:
        document["layers"] = [layer.model_dump(mode="json") for layer in layers]
        document["stages"] = by_stage(layers, stages)
    return document


def _tables(title: str, documents: list[dict[str, Any]]) -> list[Any]:
    rows, failures, profiles = [], [], []
    for one in documents:
        if "error" in one:
            failures.append(f"[bold]{one['device']}[/]: {one['error']}")
            continue
        low, high = one["interval_ms"]
        relative = f"{one['relative'][0]:.2f}" if one["relative"] else ""
        figures = (f"{one['median_ms']:.3f}", f"{low:.3f} to {high:.3f}", f"{one['p90_ms']:.3f}", relative)
        facts = one["fingerprint"]["kind"], one["protocol"]["precision"], one["fingerprint"]["runtime"]
        rows.append((one["device"], *figures, str(one["fallbacks"]), f"{one['seconds']:.1f}", *facts))
        if "layers" in one:
            profiles += _profile_tables(one)
    columns = ("device", "ms ", "95 % ", "p90 ", "x canary ", "fall-backs ", "job s ", "kind", "precision", "runtime")
    return [*([table(title, columns, rows)] if rows else []), *profiles, *failures]


def _profile_tables(document: dict[str, Any]) -> list[Any]:
    layers = sorted(document["layers"], key=lambda layer: -layer["ms"])
    total = sum(layer["ms"] for layer in layers) or 1.0
    rows = [
        (one["name"][-60:], one["operator"], f"{one['ms']:.3f}", f"{100 * one['ms'] / total:.1f} %", one["unit"])
        for one in layers[:_MOST_LAYERS]
    ]
    title = f"{document['device']}: the {len(rows)} slowest of {len(layers)} operators"
    shown = [table(title, ("operator", "type", "ms ", "share ", "unit"), rows)]
    if document["stages"]:
        by_stage = [(name, f"{ms:.3f}", f"{100 * ms / total:.1f} %") for name, ms in document["stages"].items()]
        shown.append(table(f"{document['device']}: by stage", ("stage", "ms ", "share "), by_stage))
    return shown


def _subject(text: str, place: Place, search: str, shapes: list[str]) -> tuple[Subject, str, tuple[str, ...]]:
    """What is measured, in words as well, and the stages that its operators belong to."""
    from api.cli.subjects import chosen_trial
    from nas.estimation.onnx_file import file_subject

    if text != "best" and not text.isdigit():
        return file_subject(Path(text), _shapes(shapes)), text, ()
    import torch

    from nas.domain.architecture import Architecture
    from nas.domain.value import FrozenDict
    from nas.estimation.latency import architecture_subject
    from nas.estimation.supplies import warm_teacher

    chosen = chosen_trial(place, search, None if text == "best" else int(text))
    teacher = warm_teacher(chosen.spec.teacher, torch.device("cpu"))
    architecture = Architecture(choices=FrozenDict(chosen.choices))
    network = architecture_subject(teacher, architecture, chosen.spec.calibration, batch=1)
    stages = tuple(stage.name for stage in teacher.denoiser.stages)
    return network, f"Trial {chosen.number} of {chosen.search}", stages


def _shapes(texts: list[str]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    faults = []
    for text in texts:
        name, _, sizes = text.partition("=")
        try:
            shapes[name] = tuple(int(size) for size in sizes.split(","))
        except ValueError:
            faults.append(Fault(text, "must read NAME=SIZE,SIZE,...", "sample=1,4,64,64"))
    if faults:
        raise SpecError(tuple(faults))
    return shapes


def register(app: typer.Typer) -> None:
    """Enter the command."""
    app.command()(measure)
