"""Wall time and peak memory of the demo search, with what each phase took.

    python -m benchmarks.demo

Runs `blocksmith run examples/reference-demo.yaml` in an empty temporary data directory and sums, twice a second, the
proportional set size of the whole process tree (shared pages are counted once). Prediction, written before the
first run: under 4 GB, most of it three Python processes with torch; four to six minutes on two quiet cores, two
thirds of them distillation.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from api.installation import Installation
from benchmarks.report import write_results

SPEC = Path(__file__).parents[1] / "examples" / "reference-demo.yaml"


def main() -> None:
    """Run, watch, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", type=Path, default=SPEC)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        command = [sys.executable, "-m", "api.cli", "run", str(arguments.spec), "--data", str(data)]
        started = time.monotonic()
        program = subprocess.Popen(
            [*command, "--output", str(Path(folder) / "out"), "--json"], stdout=subprocess.PIPE
        )
        peak: dict[str, float] = {"bytes": 0.0}
        watcher = threading.Thread(target=_watch, args=(program.pid, peak), daemon=True)
        watcher.start()
        assert program.stdout is not None
        summary = json.loads(program.stdout.read())
        program.wait()
        wall_s = time.monotonic() - started
        phases = _phases(data, summary["search"])
    whole = {"wall_s": wall_s, "peak_pss_gib": peak["bytes"] / 2**30, "trials": summary["trials"]}
    write_results("demo", {**whole, "phases": phases, "search": summary}, {"Whole": [whole], "Phases": phases})


def _watch(pid: int, peak: dict[str, float]) -> None:
    while psutil.pid_exists(pid):
        peak["bytes"] = max(peak["bytes"], _tree_bytes(pid))
        time.sleep(0.5)


def _tree_bytes(pid: int) -> float:
    total = 0.0
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return total
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def _phases(data: Path, search_id: str) -> list[dict[str, Any]]:
    """Seconds from the first to the last event of each phase, and what workers spent in it."""
    with Installation(data).database.reader() as uow:
        events = uow.events.after(search_id, 0, 1_000_000)
    started = events[0][3]
    spans: dict[str, dict[str, Any]] = {}
    previous = started
    for _, kind, payload, at in events:
        facts = json.loads(payload)["facts"]
        name = str(facts.get("job", kind))
        span = spans.setdefault(
            name, {"phase": name, "from_s": previous - started, "to_s": 0.0, "events": 0, "worker_s": 0.0}
        )
        span["to_s"] = at - started
        span["events"] += 1
        span["worker_s"] += float(facts.get("seconds", 0.0))
        previous = at
    return [span for span in spans.values() if span["phase"] != "search"]


if __name__ == "__main__":
    main()
