"""The tables. A `document` is a domain value's JSON; the other columns exist because a query needs them.

Documents are text, not JSON types: values are strict about their JSON (`1` is no float), and cached
results have to come back byte for byte.
"""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

searches = Table(
    "searches",
    metadata,
    Column("id", String, primary_key=True),
    Column("created_at", Double, nullable=False, index=True),
    Column("status", String(16), nullable=False),
    Column("intent", String(16), nullable=False),  # written by users, never by the coordinator
    Column("last_event", Integer, nullable=False),  # the lock of its row makes event ids gapless
    Column("document", Text, nullable=False),  # everything but the intent
)

trials = Table(
    "trials",
    metadata,
    Column("search", ForeignKey(searches.c.id), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("architecture", String(64), nullable=False),  # digest
    Column("status", String(16), nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("search", "architecture"),
    Index(None, "search", "status"),
)

library_entries = Table(
    "library_entries",
    metadata,
    Column("key", String, primary_key=True),
    Column("document", Text, nullable=False),
)

latencies = Table(
    "latencies",
    metadata,
    Column("key", String, primary_key=True),
    Column("document", Text, nullable=False),
)

evaluations = Table(
    "evaluations",
    metadata,
    Column("key", String, primary_key=True),
    Column("document", Text, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("search", ForeignKey(searches.c.id), primary_key=True),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("payload", Text, nullable=False),
    Column("at", Double, nullable=False),  # Unix seconds
)

leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String),  # NULL when given back; the row stays because its token must grow
    Column("token", Integer, nullable=False),
    Column("expires_at", Double, nullable=False),  # Unix seconds by the database server's clock
)
