"""A small disk of our own that can be filled; the machine's disk is never touched."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

BLOCK = b"\0" * 65536


class SmallDisk:
    """A tmpfs of limited size.

    Args:
        folder: Where it is mounted.
        megabytes: Its size.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self._megabytes = megabytes
        self._ballast = folder / "ballast"

    def mount(self) -> bool:
        """Mount it; False where this machine does not allow it, and the folder is a plain one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        size = f"size={self._megabytes}m"
        command = ["mount", "-t", "tmpfs", "-o", size, "blocksmith-chaos", str(self.folder)]
        try:
            finished = subprocess.run(command, capture_output=True, check=False)
        except FileNotFoundError:
            return False
        return finished.returncode == 0

    def unmount(self) -> None:
        """Unmount it, also while somebody still holds a file open; a no-op where nothing is mounted."""
        if self.folder.is_mount():
            subprocess.run(["umount", "--lazy", str(self.folder)], capture_output=True, check=False)

    def fill(self) -> int:
        """Write until nothing fits any more; returns the bytes written.

        Raises:
            RuntimeError: If no disk is mounted here: that would fill the machine's.
        """
        if not self.folder.is_mount():
            raise RuntimeError(f"{self.folder} is no disk of its own.")
        written = 0
        file = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            block = BLOCK
            while block:
                try:
                    written += os.write(file, block)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    block = block[: len(block) // 2]  # to the last byte
        finally:
            os.close(file)
        return written

    def free(self) -> None:
        """Take back what `fill` took."""
        self._ballast.unlink(missing_ok=True)
