"""Devices: how they stand, as each coordinator sees them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "devices",
        sa.Column("observer", sa.String(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("observer", "name", name="pk_devices"),
    )
    op.create_index("ix_devices_seen_at", "devices", ["seen_at"])


def downgrade() -> None:
    op.drop_index("ix_devices_seen_at", "devices")
    op.drop_table("devices")
