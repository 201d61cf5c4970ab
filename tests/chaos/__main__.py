"""Kills, stops, fills, delays: `python -m tests.chaos --faults 200 --seed 1 --database sqlite`.

The last line on standard output is a JSON summary; exit status 1 means that a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.recovery import PATIENCE_S
from tests.chaos.rig import Rig, keep_evidence
from tests.chaos.schedule import draw_schedule
from tests.chaos.service import Service


def main() -> int:
    """Run; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--searches", type=int, default=20)
    parser.add_argument("--patience", type=float, default=PATIENCE_S, help="seconds to move again in")
    parser.add_argument("--keep", type=Path, help="keep logs in this folder; its path must be short")
    parser.add_argument("--short", action="store_true", help="small searches, exactly as many as asked for")
    options = parser.parse_args()
    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs ignore the first
        signal.signal(ending, signal.default_int_handler)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("chaos").setLevel(logging.INFO)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="chaos-"))
    began = time.monotonic()
    summary = run(folder, options)
    summary |= {"seconds": round(time.monotonic() - began, 1), "seed": options.seed, "database": options.database}
    if options.keep is None and not summary["violations"]:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        logging.info("Logs lie in %s", folder)
    sys.stdout.write(json.dumps(summary) + "\n")
    return 1 if summary["violations"] else 0


def run(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    """One whole run in a folder of its own; everything is stopped when it returns."""
    service = Service(folder, options.database, options.seed)
    without = frozenset() if service.has_disk else frozenset({"fill disk"})
    schedule = draw_schedule(options.seed, options.faults, options.database, without)
    rig = Rig(service, schedule, options.seed, options.searches, options.patience, options.short)
    try:
        service.start()
        rig.run()
        return rig.summary()
    finally:
        keep_evidence(folder, service)
        service.stop()


if __name__ == "__main__":
    sys.exit(main())
