"""The tables. A `document` is a domain value's JSON; the other columns exist because a query needs them.

Documents are text, not JSON types: values are strict about their JSON (`1` is no float), and cached
results have to come back byte for byte.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

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
    Column("project", String(64), nullable=False),
    Column("created_at", Double, nullable=False, index=True),
    Column("status", String(16), nullable=False),
    Column("intent", String(16), nullable=False),  # written by users, never by the coordinator
    Column("deleted_at", Double),  # written by users too; NULL outside the trash
    Column("kind", String(16), nullable=False),
    Column("name", String(128), nullable=False),
    Column("budget", Integer, nullable=False),  # trials; what a project's quota adds up
    Column("library", String(64), nullable=False),  # which block library it draws from
    Column("last_event", Integer, nullable=False),  # the lock of its row makes event ids gapless
    Column("document", Text, nullable=False),  # everything but intent, bounds and trash
    Index(None, "project", "created_at", "id"),
    Index(None, "status", "created_at"),
    Index(None, "library"),
)

bounds = Table(
    "bounds",
    metadata,
    Column("search", ForeignKey(searches.c.id), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),  # from 0, without gaps
    Column("document", Text, nullable=False),  # the problem
    Column("by", String, nullable=False),
    Column("at", Double, nullable=False),
)

trials = Table(
    "trials",
    metadata,
    Column("search", ForeignKey(searches.c.id), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("architecture", String(64), nullable=False),  # digest
    Column("status", String(16), nullable=False),
    Column("changed", Integer, nullable=False),  # id of the event that tells of the last write
    Column("point", Text, nullable=False),  # what a plot needs of the document, a tenth of its size
    Column("document", Text, nullable=False),
    UniqueConstraint("search", "architecture"),
    Index(None, "search", "status"),
    Index(None, "search", "changed"),
)

trial_logs = Table(
    "trial_logs",
    metadata,
    Column("search", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),  # a JSON string: the log of a process may hold anything
    ForeignKeyConstraint(["search", "number"], [trials.c.search, trials.c.number]),
)

library_entries = Table(
    "library_entries",
    metadata,
    Column("key", String, primary_key=True),
    Column("weights", String(64), nullable=False, index=True),  # artifact, or empty
    Column("size_bytes", BigInteger, nullable=False),  # of the weights: four bytes a parameter
    Column("document", Text, nullable=False),
)

library_uses = Table(
    "library_uses",
    metadata,
    Column("search", ForeignKey(searches.c.id), primary_key=True),
    Column("key", String, primary_key=True),
    Index(None, "key"),
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

exports = Table(
    "exports",
    metadata,
    Column("id", String, primary_key=True),
    Column("search", ForeignKey(searches.c.id), nullable=False, index=True),
    Column("project", String(64), nullable=False),
    Column("status", String(16), nullable=False, index=True),
    Column("artifact", String(64), nullable=False, index=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("document", Text, nullable=False),
    Index(None, "project"),
)

projects = Table(
    "projects",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created_at", Double, nullable=False),
    Column("document", Text, nullable=False),  # its quota
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("project", String(64), index=True),  # NULL for the whole installation
    Column("created_at", Double, nullable=False),
    Column("revoked_at", Double),
    Column("document", Text, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("project", String(64)),
    Column("document", Text, nullable=False),
    Index(None, "project", "id"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("key", String, primary_key=True),
    Column("request", String(64), nullable=False),  # digest of the request's body
    Column("subject", String, nullable=False),
    Column("at", Double, nullable=False, index=True),
)

processes = Table(
    "processes",
    metadata,
    Column("id", String, primary_key=True),
    Column("beat_at", Double, nullable=False, index=True),  # Unix seconds by the database server's clock
    Column("document", Text, nullable=False),
)

devices = Table(
    "devices",
    metadata,
    Column("observer", String, primary_key=True),  # the coordinator that says so: one writer per row
    Column("name", String(64), primary_key=True),
    Column("seen_at", Double, nullable=False, index=True),  # Unix seconds by the database server's clock
    Column("document", Text, nullable=False),
)
