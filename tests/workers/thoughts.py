"""Strategies that live in the suggesting process and do there what a test wants.

A test says so by files in the folder that `$BLOCKSMITH_TEST_THOUGHTS` names: `hold` (think for as long as
it is there), `die` (once), `die always`, `stumble`, `refuse`. A strategy writes `begun` when it begins to think.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from nas.domain.architecture import Architecture
from nas.domain.cost import ExactCosts
from nas.domain.library import BlockLibrary, LibraryEntry
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.engine.advice import Suggestion
from nas.errors import InfeasibleSpec
from tests.fakes.executor import FLOOR, block_cost, share
from tests.fakes.strategy import InOrder
from tests.nas.engine.scene import STAGES

COSTS = ExactCosts(
    stages=STAGES,
    library=BlockLibrary(
        entries=FrozenDict(
            {
                f"{stage}/{variant}": LibraryEntry(
                    key=f"{stage}/{variant}",
                    stage=stage,
                    variant=variant,
                    cost=block_cost(stage, variant),
                    block_loss=share(stage, variant),
                )
                for stage in STAGES
                for variant in ("teacher", "RA", "R")
            }
        ),
        floor=FLOOR,
    ),
)
PLACE = "BLOCKSMITH_TEST_THOUGHTS"


def obey(folder: Path) -> None:
    """Do what a test ordered by a file in the folder: hang, die, stumble or refuse."""
    (folder / "begun").touch()
    while (folder / "hold").exists():
        time.sleep(0.01)
    if (folder / "die").exists():
        (folder / "die").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    if (folder / "die always").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if (folder / "stumble").exists():
        raise ZeroDivisionError("a bug")
    if (folder / "refuse").exists():
        raise InfeasibleSpec("No such network.", "Loosen the bound.")


class Thoughtful:
    def __init__(self, search: Search, costs: ExactCosts) -> None:
        self._strategy = InOrder(search, costs)
        self._folder = Path(os.environ[PLACE])

    def tell(self, verdicts: Iterable[Trial], pending: Sequence[Architecture]) -> None:
        self._strategy.tell(verdicts, pending)

    def suggest(self, count: int) -> Sequence[Suggestion]:
        obey(self._folder)
        return self._strategy.suggest(count)


def make_thoughtful(search: Search, costs: ExactCosts) -> Thoughtful:
    return Thoughtful(search, costs)


def load_nothing(search: Search) -> None:
    del search
