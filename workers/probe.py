"""Asks whether Ray works on this machine at all, for `doctor`."""

from __future__ import annotations

import os
import time

from workers.ray_cluster import start_local


def answering_worker() -> str:
    """Start a private Ray, have one worker answer, stop it; says what was seen.

    Raises:
        TransientError: If Ray does not come up.
    """
    started = time.monotonic()
    ray = start_local(cpus=1)
    try:
        ray.get(ray.remote(max_retries=0)(_process_id).remote(), timeout=60)
        return f"Ray {ray.__version__}, a worker answered after {time.monotonic() - started:.1f} s"
    finally:
        ray.shutdown()


def _process_id() -> int:
    return os.getpid()
