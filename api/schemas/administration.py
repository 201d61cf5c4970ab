"""Projects, keys, quotas, audit and the cluster as documents."""

from __future__ import annotations

from typing import Any, Literal

from api.schemas.base import Document, Seconds, UnixSeconds, example

Role = Literal["reader", "submitter", "admin"]

A_QUOTA: dict[str, Any] = {"trials": 10_000, "parallelism": 16, "storage_bytes": None}
A_USAGE: dict[str, Any] = {
    "trials_reserved": 480,
    "trials_done": 311,
    "running": 2,
    "storage_bytes": 51_200_000,
    "searches": 10,
}
A_PROJECT: dict[str, Any] = {
    "project": "vision",
    "created_at": 1_795_000_000.0,
    "quota": A_QUOTA,
    "usage": A_USAGE,
}
A_KEY: dict[str, Any] = {
    "key": "k3f9a7c2m1q8",
    "name": "nightly builds",
    "project": "vision",
    "role": "submitter",
    "created_at": 1_795_000_000.0,
    "expires_at": None,
    "revoked_at": None,
}


class Me(Document):
    """Whose key this is.

    Attributes:
        project: Null for a key of the whole installation.
    """

    model_config = example(key="k3f9a7c2m1q8", project="vision", role="submitter", name="nightly builds")

    key: str
    project: str | None
    role: Role
    name: str


class QuotaDocument(Document):
    """What a project may use; null means no limit.

    Attributes:
        trials: Sum of the budgets of its searches outside the trash.
        parallelism: Jobs at once.
        storage_bytes: Bytes of its artifacts.
    """

    model_config = example(**A_QUOTA)

    trials: int | None = None
    parallelism: int | None = None
    storage_bytes: int | None = None


class UsageDocument(Document):
    """What a project uses now."""

    model_config = example(**A_USAGE)

    trials_reserved: int
    trials_done: int
    running: int
    storage_bytes: int
    searches: int


class ProjectDocument(Document):
    """A team's corner of the installation: nothing of it is visible to another."""

    model_config = example(**A_PROJECT)

    project: str
    created_at: UnixSeconds
    quota: QuotaDocument
    usage: UsageDocument


class ProjectList(Document):
    """Projects that the key may see."""

    model_config = example(items=[A_PROJECT])

    items: list[ProjectDocument]


class KeyDocument(Document):
    """An API key without its secret."""

    model_config = example(**A_KEY)

    key: str
    name: str
    project: str | None
    role: Role
    created_at: UnixSeconds
    expires_at: UnixSeconds | None = None
    revoked_at: UnixSeconds | None = None


class KeyList(Document):
    """Keys, newest first."""

    model_config = example(items=[A_KEY])

    items: list[KeyDocument]


class NewKey(KeyDocument):
    """A key just made, with its secret: shown this once and stored nowhere.

    Attributes:
        token: What goes behind `Authorization: Bearer`.
    """

    model_config = example(**A_KEY, token="bsk_k3f9a7c2m1q8_" + "s" * 43)

    token: str


class AuditLine(Document):
    """One write: who did what to what.

    Attributes:
        key: Id of the key; `local` for commands on the machine itself.
    """

    model_config = example(
        id=12,
        at=1_795_000_000.0,
        project="vision",
        key="k3f9a7c2m1q8",
        action="search.create",
        subject="reference-demo-1a2b3c",
        detail="",
    )

    id: int
    at: UnixSeconds
    project: str | None
    key: str
    action: str
    subject: str
    detail: str


class ProcessDocument(Document):
    """A process that gave a sign of life lately.

    Attributes:
        age_s: Since its last sign of life.
        state: What it says of itself, for instance `slots`, `busy`, `queued`.
    """

    model_config = example(
        process="coordinator-7f",
        kind="coordinator",
        host="node-1",
        started_at=1_795_000_000.0,
        age_s=0.8,
        state={"slots": 16, "busy": 12, "queued": 3},
    )

    process: str
    kind: str
    host: str
    started_at: UnixSeconds
    age_s: Seconds
    state: dict[str, Any]


class ClusterDocument(Document):
    """What works at this moment. Project keys see sums alone, no processes.

    Attributes:
        slots: Jobs that can run at once.
        busy: Jobs that do.
        queued: Jobs that wait for a slot.
    """

    model_config = example(slots=16, busy=12, queued=3, coordinators=1, processes=[])

    slots: int
    busy: int
    queued: int
    coordinators: int
    processes: list[ProcessDocument]


class HealthCheck(Document):
    """One thing looked at."""

    model_config = example(name="database", ok=True, detail="answers")

    name: Literal["database", "disk", "workers"]
    ok: bool
    detail: str


class Health(Document):
    """Whether this process can serve. Without workers it can: searches wait."""

    model_config = example(status="ready", checks=[{"name": "database", "ok": True, "detail": "answers"}])

    status: Literal["ready", "degraded", "unready"]
    checks: list[HealthCheck] = []


class Alive(Document):
    """The process answers."""

    model_config = example(status="alive")

    status: Literal["alive"] = "alive"
