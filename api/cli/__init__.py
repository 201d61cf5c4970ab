"""The command line `blocksmith`. Heavy imports happen inside commands, so that `--help` is instant."""

from __future__ import annotations

from api.cli.main import main

__all__ = ["main"]
