"""Every device on the same networks, and each one's table against assembled networks.

    python -m benchmarks.devices.backends --devices host,torch,openvino --networks 20 --seed 0 --blocks
    python -m benchmarks.devices.backends --report        # the report again, from the measurements kept

The reference teacher, the winner of the demo's search, and random networks of the default space from its teacher to
its smallest. With `--blocks` all isolated blocks that they consist of, too, so that the table's price of each network
stands beside what it takes. A measurement has a process of its own with a time-out; what it cannot do is a result,
in words. It may be stopped at any time: the same command goes on, and `--again` tries once more what failed.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.devices.backend_jobs import Job, Record, Records, blocks_of, planned
from benchmarks.devices.backend_report import report
from benchmarks.devices.backend_worker import alone, draw, measure, way_of
from benchmarks.report import RESULTS, markdown_table, write_results
from nas.estimation.devices import DEVICES

NAME = "devices"
EVERY = ("host", "torch", "torch-compile", "openvino", "litert", "ethos-u85", "npu-hexagon")
GRACE_S = 120.0
"""A device that minds the time-out itself tells more than a killed process."""


def main() -> None:
    """Measure what is missing, and write the report."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that no measurement is left behind
    records = Records(options.results / f"{NAME}.runs.jsonl")
    setting = _setting(records, options)
    present = options.devices if options.report else _present(options.devices)
    stages, networks = setting["stages"], setting["networks"]
    blocks = blocks_of(stages, networks)
    wanted = blocks if options.blocks else []
    if not options.report:
        jobs = planned({device: way_of(device) for device in present}, networks, wanted)
        make_missing(jobs, records, options.timeout, options.again)
    everything = planned({device: way_of(device) for device in options.devices}, networks, blocks)
    document, tables = report(stages, networks, options.devices, records.of(everything))
    document["setting"] = {"networks": options.networks, "seed": options.seed}
    write_results(NAME, document, tables, options.results)
    for title, table in tables.items():
        print(f"\n{title}\n", *markdown_table(table), sep="\n")


def make_missing(jobs: Sequence[Job], records: Records, timeout_s: float, again: bool) -> None:
    """Make what is not there yet, one after the other: measurements beside each other would measure each other."""
    missing = records.missing(jobs, again)
    print(f"{len(missing)} measurements to make, {len(jobs) - len(missing)} are there", file=sys.stderr, flush=True)
    began = time.monotonic()
    for number, job in enumerate(missing, 1):
        record = {**job.head, **alone(measure, {**job.head, "timeout_s": timeout_s}, timeout_s + GRACE_S)}
        records.add(record)
        told = record.get("error") or f"{record['wall']['median_ms']:.3f} ms"
        at = f"[{number}/{len(missing)}, {time.monotonic() - began:.0f} s]"
        print(f"{at} {job.device}, {job.name}: {told} ({record['job_s']:.0f} s)", file=sys.stderr, flush=True)


def _setting(records: Records, options: argparse.Namespace) -> Record:
    """The networks of a number and a seed: drawn once, then kept."""
    winner = json.loads(options.winner.read_text(encoding="utf-8"))["search"]["best"]["architecture"]
    head = {"device": "", "kind": "setting", "what": f"{options.networks} networks of seed {options.seed}"}
    key = ("", "setting", head["what"], json.dumps(winner))
    if key not in records.by_key:
        request = {"networks": options.networks, "seed": options.seed, "winner": winner}
        drawn = alone(draw, request, options.timeout)
        if "error" in drawn:
            raise SystemExit(f"No networks could be drawn: {drawn['error']}")
        records.add({**head, "way": json.dumps(winner), **drawn})
    return records.by_key[key]


def _present(devices: Sequence[str]) -> list[str]:
    absent = {device: told for device in devices if (told := DEVICES.get(device).absence())}
    for device, told in absent.items():
        print(f"{device}: left out, {told}", file=sys.stderr)
    return [device for device in devices if device not in absent]


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=lambda text: text.split(","), default=list(EVERY))
    parser.add_argument("--networks", type=int, default=20, help="random ones, besides teacher and winner")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--blocks", action="store_true", help="measure the tables, too")
    parser.add_argument("--again", action="store_true", help="try once more what failed")
    parser.add_argument(
        "--timeout", type=float, default=1800.0, help="seconds for one measurement with its conversion"
    )
    parser.add_argument("--winner", type=Path, default=RESULTS / "demo.json", help="results of the demo")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--report", action="store_true", help="measure nothing, read what was kept")
    return parser.parse_args()


if __name__ == "__main__":
    main()
