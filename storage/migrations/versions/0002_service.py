"""The service: projects, keys, trash, versions of bounds, exports, heartbeats, and what lists and plots need."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _add_columns()
    _make_tables()
    _fill_searches()
    _fill_trials()
    _fill_library()
    op.execute("INSERT INTO projects (id, created_at, document) VALUES ('default', 0, '{}')")
    _require_columns()


def _add_columns() -> None:
    for table, columns in _COLUMNS.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind, nullable=True))
    op.add_column("searches", sa.Column("deleted_at", sa.Double(), nullable=True))


def _make_tables() -> None:
    op.create_table(
        "bounds",
        sa.Column("search", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["search"], ["searches.id"], name="fk_bounds_search_searches"),
        sa.PrimaryKeyConstraint("search", "version", name="pk_bounds"),
    )
    op.create_table(
        "trial_logs",
        sa.Column("search", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["search", "number"], ["trials.search", "trials.number"], name="fk_trial_logs_search_number_trials"
        ),
        sa.PrimaryKeyConstraint("search", "number", "attempt", name="pk_trial_logs"),
    )
    op.create_table(
        "library_uses",
        sa.Column("search", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["search"], ["searches.id"], name="fk_library_uses_search_searches"),
        sa.PrimaryKeyConstraint("search", "key", name="pk_library_uses"),
    )
    op.create_index("ix_library_uses_key", "library_uses", ["key"])
    op.create_table(
        "exports",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("search", sa.String(), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("artifact", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["search"], ["searches.id"], name="fk_exports_search_searches"),
        sa.PrimaryKeyConstraint("id", name="pk_exports"),
    )
    for column in ("search", "status", "artifact", "project"):
        op.create_index(f"ix_exports_{column}", "exports", [column])
    op.create_table(
        "projects",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("revoked_at", sa.Double(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_index("ix_api_keys_project", "api_keys", ["project"])
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_project_id", "audit", ["project", "id"])
    op.create_table(
        "idempotency",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_at", "idempotency", ["at"])
    op.create_table(
        "processes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("beat_at", sa.Double(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_processes"),
    )
    op.create_index("ix_processes_beat_at", "processes", ["beat_at"])


def _fill_searches() -> None:
    """Columns from documents, bounds into their own table, and which blocks a search draws from."""
    connection = op.get_bind()
    made = set(connection.scalars(sa.text("SELECT key FROM library_entries")))
    for row in connection.execute(sa.text("SELECT id, created_at, document FROM searches")).all():
        search = json.loads(row.document)
        spec, problems = search["spec"], search.pop("problems")
        teacher = spec["teacher"].get("fingerprint") or spec["teacher"]
        shared = {"teacher": teacher, "calibration": spec["calibration"], "distillation": spec["distillation"]}
        values = {
            "project": "default",
            "kind": "search",
            "name": spec["name"],
            "budget": spec["budget"]["trials"],
            "library": _digest(shared),
            "document": _json(search),
        }
        connection.execute(_set("searches", values, "id = :id"), {"id": row.id, **values})
        for version, problem in enumerate(problems):
            connection.execute(
                _insert("bounds", "search", "version", "document", "by", "at"),
                {"search": row.id, "version": version, "document": _json(problem), "by": "", "at": row.created_at},
            )
        places = [(stage["stage"], variant) for stage in search["space"]["stages"] for variant in stage["variants"]]
        keys = {_digest({**shared, "kind": "distill", "stage": stage, "variant": name}) for stage, name in places}
        for key in keys & made:
            connection.execute(_insert("library_uses", "search", "key"), {"search": row.id, "key": key})


def _fill_trials() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.text("SELECT search, number, document FROM trials")).all():
        trial = json.loads(row.document)
        evaluation = trial["evaluation"] or {"metrics": {}}
        measured = evaluation["metrics"].items()
        metrics = {name: [value["mean"], value["sem"], value["unit"]] for name, value in measured}
        point = [trial["origin"], trial["bounds_version"], trial["architecture"]["choices"], metrics]
        if (share := evaluation.get("share", 1.0)) < 1:  # of a later version, on its way back up
            point.append(share)
        values = {"changed": 0, "point": _json(point)}
        place = {"search": row.search, "number": row.number}
        connection.execute(_set("trials", values, "search = :search AND number = :number"), {**values, **place})


def _fill_library() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.text("SELECT key, document FROM library_entries")).all():
        entry = json.loads(row.document)
        size = 4 * entry["cost"]["params"] if entry["weights"] else 0
        values = {"weights": entry["weights"], "size_bytes": size}
        connection.execute(_set("library_entries", values, "key = :key"), {**values, "key": row.key})


def _require_columns() -> None:
    for table, columns in _COLUMNS.items():
        with op.batch_alter_table(table) as batch:
            for name, kind in columns.items():
                batch.alter_column(name, existing_type=kind, nullable=False)
    for table, indexed in _INDICES:
        op.create_index(f"ix_{table}_{'_'.join(indexed)}", table, indexed)


def downgrade() -> None:
    """Back to the first schema. What it cannot say (projects, keys, trash, exports) is lost."""
    connection = op.get_bind()
    for row in connection.execute(sa.text("SELECT id, document FROM searches")).all():
        versions = sa.text("SELECT document FROM bounds WHERE search = :id ORDER BY version")
        search = json.loads(row.document)
        search["problems"] = [json.loads(problem) for problem in connection.scalars(versions, {"id": row.id})]
        for unknown in ("project", "kind", "parent", "seeds"):
            search.pop(unknown, None)
        connection.execute(_set("searches", {"document": ""}, "id = :id"), {"id": row.id, "document": _json(search)})
    for table, indexed in _INDICES:
        op.drop_index(f"ix_{table}_{'_'.join(indexed)}", table)
    for table in _TABLES:
        op.drop_table(table)
    op.drop_column("searches", "deleted_at")
    for table, kinds in _COLUMNS.items():
        with op.batch_alter_table(table) as batch:
            for name in kinds:
                batch.drop_column(name)


_TABLES = (
    "bounds",
    "trial_logs",
    "library_uses",
    "exports",
    "projects",
    "api_keys",
    "audit",
    "idempotency",
    "processes",
)
_COLUMNS: dict[str, dict[str, Any]] = {
    "searches": {
        "project": sa.String(length=64),
        "kind": sa.String(length=16),
        "name": sa.String(length=128),
        "budget": sa.Integer(),
        "library": sa.String(length=64),
    },
    "trials": {"changed": sa.Integer(), "point": sa.Text()},
    "library_entries": {"weights": sa.String(length=64), "size_bytes": sa.BigInteger()},
}
_INDICES = (
    ("searches", ["project", "created_at", "id"]),
    ("searches", ["status", "created_at"]),
    ("searches", ["library"]),
    ("trials", ["search", "changed"]),
    ("library_entries", ["weights"]),
)


def _set(table: str, values: dict[str, Any], where: str) -> sa.TextClause:
    return sa.text(f"UPDATE {table} SET {', '.join(f'{name} = :{name}' for name in values)} WHERE {where}")


def _insert(table: str, *names: str) -> sa.TextClause:
    columns = ", ".join(f'"{name}"' for name in names)
    return sa.text(f"INSERT INTO {table} ({columns}) VALUES ({', '.join(f':{name}' for name in names)})")


def _json(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _digest(document: Any) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
