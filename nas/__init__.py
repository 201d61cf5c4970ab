"""The science of Blocksmith: search space, performance estimation, search strategy, adaptation.

Usable in a notebook without a server, a database or a cluster. This package never imports
FastAPI, SQLAlchemy, Alembic or Ray; `ports` names what it expects from them.
"""
