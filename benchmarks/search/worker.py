"""A process that makes the runs of one method on one landscape and task: one thread, one JSON line for each seed.

Reads a request from standard input. Memory and CPU seconds are the method's own, because nothing else lives here.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def main() -> None:
    os.environ.update(ONE_THREAD)
    request: dict[str, Any] = json.load(sys.stdin)
    # What libraries print must not end up among the lines.
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    from benchmarks.search.catalogue import make_landscape
    from benchmarks.search.protocol import run

    if "torch" in request["needs"] or "botorch" in request["needs"]:
        import torch

        torch.set_num_threads(1)
    for seed in request["seeds"]:
        landscape = make_landscape(request["spec"], seed)
        result = run(landscape, request["task"], request["method"], seed, request["evaluations"])
        print(json.dumps({"seed": seed, **result}), file=lines, flush=True)


if __name__ == "__main__":
    main()
