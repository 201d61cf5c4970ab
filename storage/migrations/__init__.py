"""Alembic's environment and revisions. Applied by `storage.schema`; holds no queries."""
