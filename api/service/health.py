"""Whether this process can serve: asked of the things themselves, at every call."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from api.views import Document
from nas.errors import NasError

if TYPE_CHECKING:
    from api.service.state import Service

ALIVE_WITHIN_S: Final = 10.0


def examine(service: Service) -> Document:
    """Look at database, disk and workers."""
    checks = [_database(service), _disk(service)]
    can_serve = all(check["ok"] for check in checks)
    checks.append(_workers(service, can_ask=bool(checks[0]["ok"])))
    has_workers = checks[-1]["ok"]
    status = ("ready" if has_workers else "degraded") if can_serve else "unready"
    return {"status": status, "checks": checks}


def read_cluster(service: Service, *, with_processes: bool) -> Document:
    """What works at this moment."""
    with service.reader() as uow:
        alive = uow.processes.alive(ALIVE_WITHIN_S)
    coordinators = [process for process, _ in alive if process.kind == "coordinator"]
    documents = [
        {
            "process": process.id,
            "kind": process.kind,
            "host": process.host,
            "started_at": process.started_at,
            "age_s": round(age_s, 3),
            "state": process.document,
        }
        for process, age_s in alive
    ]
    totals = {
        name: sum(_count(process.document.get(name)) for process in coordinators)
        for name in ("slots", "busy", "queued")
    }
    return {**totals, "coordinators": len(coordinators), "processes": documents if with_processes else []}


def _database(service: Service) -> Document:
    try:
        service.database.ping()
    except NasError as error:
        return {"name": "database", "ok": False, "detail": error.message}
    except OSError as error:
        return {"name": "database", "ok": False, "detail": f"cannot be opened: {error.strerror}"}
    return {"name": "database", "ok": True, "detail": "answers"}


def _disk(service: Service) -> Document:
    data = service.settings.data.resolve()
    existing = next(folder for folder in (data, *data.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    is_enough = free >= service.settings.min_free_bytes
    return {"name": "disk", "ok": is_enough, "detail": f"{free // 1024**2} MiB free"}


def _workers(service: Service, *, can_ask: bool) -> Document:
    if not can_ask:
        return {"name": "workers", "ok": False, "detail": "unknown without the database"}
    try:
        cluster = read_cluster(service, with_processes=False)
    except NasError as error:
        return {"name": "workers", "ok": False, "detail": error.message}
    if not cluster["coordinators"]:
        return {"name": "workers", "ok": False, "detail": "no coordinator is alive; searches wait"}
    detail = f"{cluster['coordinators']} coordinators, {cluster['busy']} of {cluster['slots']} slots busy"
    return {"name": "workers", "ok": cluster["slots"] > 0, "detail": detail}


def _count(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0
