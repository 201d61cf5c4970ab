"""Starts a private Ray on this machine, or joins a running cluster."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import secrets
from typing import Any

import psutil

from nas.errors import TransientError

log = logging.getLogger(__name__)

OBJECT_STORE_BYTES = 200 * 2**20
"""Enough for what crosses it (job and outcome documents); weights and features go by file."""

START_ATTEMPTS = 3
"""Ray gives its own processes 30 seconds, fixed; on a machine with other work that may be too short."""

LOOPBACK = "127.0.0.1"
STAY_ON_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""At 0, Ray stays on the loopback interface; else it swaps the address we give for a reachable one."""

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    # Whoever reaches the control plane runs code: every connection shows a token.
    "RAY_AUTH_MODE": "token",
    # Ray ends a process that cannot reach the control plane for this long. Ours is started anew, so: soon.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
    # Joining asks for a node of the cluster, and waits a minute for one that has just died, unless told otherwise.
    "RAY_gcs_server_request_timeout_seconds": "20",
}


def start_local(cpus: int | None = None) -> Any:
    """Start a Ray of our own on the loopback interface; returns the `ray` module.

    Always a new one, never whatever else happens to run here: a cluster whose driver was just killed
    may still answer for a few seconds. Its processes die with this one.

    Raises:
        TransientError: If it does not come up.
    """
    _prepare_environment()
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ.setdefault(STAY_ON_LOOPBACK, "0")
    import ray

    for attempt in range(1, START_ATTEMPTS + 1):
        bystanders = set(psutil.Process().children(recursive=True))
        try:
            ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                _node_ip_address=LOOPBACK,
                **_common(),
            )
        except Exception as error:
            ray.shutdown()
            _clear_away(bystanders)
            if attempt == START_ATTEMPTS:
                raise _not_reached("Ray could not be started on this machine.", error) from error
            log.warning("Ray did not come up and is started again: %s", error)
        else:
            break
    _keep_stdout_clean()
    return ray


def servers() -> list[psutil.Process]:
    """Raylet and control plane of the Ray that this process has started."""
    children = psutil.Process().children(recursive=True)
    return [process for process in children if process.name() in ("raylet", "gcs_server")]


def is_alive(process: psutil.Process) -> bool:
    """Whether a process is there and has not ended unnoticed."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def join(address: str, packages: tuple[str, ...]) -> Any:
    """Join a running cluster; returns the `ray` module.

    Args:
        address: Where its head listens, `host:port` or `auto`.
        packages: Top-level packages that its workers must be able to import; they are sent along.

    Raises:
        TransientError: If it cannot be reached, or refuses our token.
    """
    _prepare_environment()
    import ray

    try:
        ray.init(address=address, runtime_env={"py_modules": [_folder(name) for name in packages]}, **_common())
    except Exception as error:
        raise _not_reached(f"The Ray cluster at {address} cannot be joined.", error) from error
    _keep_stdout_clean()
    return ray


def _clear_away(bystanders: set[psutil.Process]) -> None:
    """Kill what a failed start left behind: Ray itself does so only when this process ends."""
    for process in set(psutil.Process().children(recursive=True)) - bystanders:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _prepare_environment() -> None:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


def _common() -> dict[str, Any]:
    return {
        "namespace": f"blocksmith-{secrets.token_hex(4)}",
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "configure_logging": False,
    }


def _keep_stdout_clean() -> None:
    """Send to the log what Ray prints about its cluster: standard output is for our documents.

    Ray has no switch for this; should its inside change, the messages are printed again.
    """
    with contextlib.suppress(ImportError):
        from ray._private import worker

        worker.print_to_stdstream = _note


def _note(message: dict[str, Any], ignore_prefix: bool) -> None:
    del ignore_prefix
    log.info("Ray: %s", "\n".join(message.get("lines", ())))


def _folder(package: str) -> str:
    return str(next(iter(importlib.import_module(package).__path__)))


def _not_reached(message: str, error: Exception) -> TransientError:
    log.warning("%s", message, exc_info=error)
    first_line = (str(error).strip().splitlines() or [""])[0]
    return TransientError(message, f"{type(error).__name__}: {first_line}"[:300])
