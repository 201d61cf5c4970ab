"""First schema: searches, trials, events, leases and everything that is made once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "searches",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("intent", sa.String(length=16), nullable=False),
        sa.Column("last_event", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_searches"),
    )
    op.create_index("ix_searches_created_at", "searches", ["created_at"])
    op.create_table(
        "trials",
        sa.Column("search", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["search"], ["searches.id"], name="fk_trials_search_searches"),
        sa.PrimaryKeyConstraint("search", "number", name="pk_trials"),
        sa.UniqueConstraint("search", "architecture", name="uq_trials_search_architecture"),
    )
    op.create_index("ix_trials_search_status", "trials", ["search", "status"])
    op.create_table(
        "events",
        sa.Column("search", sa.String(), nullable=False),
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["search"], ["searches.id"], name="fk_events_search_searches"),
        sa.PrimaryKeyConstraint("search", "id", name="pk_events"),
    )
    for made_once in ("library_entries", "latencies", "evaluations"):
        op.create_table(
            made_once,
            sa.Column("key", sa.String(), nullable=False),
            sa.Column("document", sa.Text(), nullable=False),
            sa.PrimaryKeyConstraint("key", name=f"pk_{made_once}"),
        )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def downgrade() -> None:
    for table in ("leases", "evaluations", "latencies", "library_entries", "events", "trials", "searches"):
        op.drop_table(table)
