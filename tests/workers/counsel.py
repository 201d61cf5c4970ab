"""What answers in the consultant's process and does there what a test wants.

A test says so by files in the folder that `$BLOCKSMITH_TEST_THOUGHTS` names: `hold` (think for as long as it is
there), `die` (once), `die always`, `stumble`, `refuse`, `faulty`, `fail` (do not come up).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.errors import Fault, SpecError
from tests.workers.thoughts import PLACE, obey


class Counsel:
    """Answers with what it was asked, how often it was asked, and its process."""

    def __init__(self) -> None:
        self._folder = Path(os.environ[PLACE])
        self._asked = 0
        if (self._folder / "fail").exists():
            raise ImportError("no such module")

    def __call__(self, about: Mapping[str, Any]) -> dict[str, Any]:
        self._asked += 1
        obey(self._folder)
        if (self._folder / "faulty").exists():
            raise SpecError((Fault("/latency", "needs a device", "cpu"),))
        return {"about": dict(about), "asked": self._asked, "pid": os.getpid()}
