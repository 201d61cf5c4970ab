"""Commands about devices: what is there to measure on, and a worker beside one of them."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.connection import Place
from api.cli.console import answer, errors, table
from api.cli.options import DataOption, JsonOption, KeyOption, UrlOption

if TYPE_CHECKING:
    from api.schemas.catalogue import DeviceDocument

app = typer.Typer(help="Look at devices, and measure on them.", no_args_is_help=True)


@app.command("list")
def show(data: DataOption = None, url: UrlOption = None, key: KeyOption = None, as_json: JsonOption = False) -> None:
    """List devices: what a spec may name, who offers it, and in which state it is."""
    with Place(data, url, key).client() as client:
        found = client.devices()
    rows = [_row(device) for device in found]
    columns = ("device", "state", "since", "backend", "kind", "canary ", "worker", "what to know")
    answer(found, table("Devices", columns, rows), as_json=as_json)


def device_worker(
    device: Annotated[str, typer.Option(help="Name under which jobs ask for the device.")],
    address: Annotated[
        str | None, typer.Option(help="Head of the Ray cluster, host:port (default: $BLOCKSMITH_RAY_ADDRESS).")
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="Registered device that measures it (default: the name).")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="key=value, part of the fingerprint; may be given several times.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of this worker's own results and scratch (default: the installation's, shared)."),
    ] = None,
    shared: Annotated[
        bool, typer.Option("--shared", help="Others use the machine, too: drift of the canary is told, no more.")
    ] = False,
    node_ip: Annotated[str, typer.Option(help="Address of this machine (default: Ray finds out).")] = "",
    as_json: JsonOption = False,
) -> None:
    """Offer one device of this machine to the cluster until Ctrl-C. It may come and go at any time."""
    from api.logs import configure_logging
    from api.settings import read_settings
    from nas.errors import Fault, SpecError
    from workers.device_worker import look_at_device, offer_device

    settings = read_settings()
    configure_logging(settings.log_format, "error")
    target = address or settings.ray_address
    if not target:
        raise SpecError((Fault("--address", "no cluster is named", "HOST:6379"),))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    offer = look_at_device(device, backend or device, _labels(label or []), is_shared=shared, data=data)
    canary = f", canary {offer.canary_ms:.3f} ms" if offer.canary_ms else ""
    made = f"{offer.device.kind}, {offer.device.runtime}{canary}"

    def up() -> None:
        answer(
            {"address": target, "fingerprint": offer.fingerprint, "offer": offer.model_dump(mode="json")},
            f"Device [bold]{offer.name}[/] is offered at {target} ({made}).",
            f"  fingerprint  {offer.fingerprint[:12]}\n  stop         Ctrl-C",
            as_json=as_json,
        )

    def trouble(why: str) -> None:
        errors.print(f"The device is not offered: {why} It is tried again.", soft_wrap=True, markup=False)

    offer_device(offer, target, stop, node_ip=node_ip, up=up, trouble=trouble)


def _labels(given: list[str]) -> dict[str, str]:
    from nas.errors import Fault, SpecError

    pairs = [text.partition("=") for text in given]
    wrong = [f"{key}{sign}{value}" for key, sign, value in pairs if not (key and sign and value)]
    if wrong:
        raise SpecError(tuple(Fault("--label", f"{text!r} is no label", "key=value") for text in wrong))
    return {key: value for key, _, value in pairs}


def _row(device: DeviceDocument) -> tuple[str, ...]:
    since = "" if device.since is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(device.since))
    canary = "" if device.canary_ms is None else f"{device.canary_ms:.3f} ms"
    said = device.reason or device.meaning
    return (device.device, device.state, since, device.backend, device.kind, canary, device.worker, said)


def register(main: typer.Typer) -> None:
    """Enter the commands."""
    main.add_typer(app, name="device", rich_help_panel="Models")
    main.command("device-worker", rich_help_panel="Service")(device_worker)
