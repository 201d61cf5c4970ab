"""A PostgreSQL server of our own, started by hand so that it can be killed and started on the same data."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import warnings
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.programs import Program, wait_until

ACCOUNT = "pgserver"
"""PostgreSQL refuses to run as root; the wheel brings this account along."""


class PostgreSQL:
    """The server of the `pgserver` wheel on a TCP port.

    Args:
        folder: Made here, readable by the server's account.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the wheel warns where there is no desktop session
            from pgserver._commands import POSTGRES_BIN_PATH
        self._bin = Path(POSTGRES_BIN_PATH)
        self._data = folder / "postgresql"
        self._user = self._account(folder)
        self._environment = {**environment, "PGUSER": "postgres"}
        self.port = _free_port()
        command = [
            str(self._bin / "postgres"),
            "-D",
            str(self._data),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-k",
            "",
        ]
        log = folder / "postgresql.log"
        self.program = Program("postgresql", command, self._environment, log, user=self._user, contained=True)

    @property
    def url(self) -> str:
        """Its address."""
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """The same database behind another port."""
        return f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def start(self) -> None:
        """Make the data folder when there is none, start the server, wait until it answers."""
        if not (self._data / "PG_VERSION").exists():
            command = [
                str(self._bin / "initdb"),
                "-D",
                str(self._data),
                "-A",
                "trust",
                "-E",
                "utf8",
                "-U",
                "postgres",
            ]
            subprocess.run(command, check=True, capture_output=True, user=self._user, env=self._environment)
        self.program.start()
        wait_until(self.answers, "PostgreSQL answers", 60)

    def answers(self) -> bool:
        """Whether it takes connections."""
        command = [str(self._bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def _account(self, folder: Path) -> str | None:
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() != 0:
            return None
        from pgserver.utils import ensure_folder_permissions, ensure_prefix_permissions, ensure_user_exists

        ensure_user_exists(ACCOUNT)
        ensure_prefix_permissions(folder)
        ensure_prefix_permissions(self._bin)
        ensure_folder_permissions(self._bin, 0o055)
        ensure_folder_permissions(self._bin.parent / "lib", 0o044)
        inside = folder / "postgresql"
        folder.chmod(folder.stat().st_mode | 0o055)
        account = pwd.getpwnam(ACCOUNT)
        if not inside.exists():
            inside.mkdir(mode=0o700)
            os.chown(inside, account.pw_uid, account.pw_gid)
        return ACCOUNT


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
