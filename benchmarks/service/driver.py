"""Drives searches by table in a process of its own: `python -m benchmarks.service.driver ID [ID ...]`.

The real loop, the real strategy, the real storage; only the workers' work is looked up. Prints one JSON line
whenever a search has as many more trials, with the resident memory of this process; and one when it ends.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator

import psutil

from api.composition import SystemClock, _make_strategy
from api.installation import Installation
from api.teachers import teacher_stages
from benchmarks.service.table import TableBackend
from nas.domain.search import Search
from nas.engine.events import EngineEvent
from nas.engine.loop import SearchLoop
from nas.engine.pace import Pace


class Progress:
    """Counts finished trials and tells of every n-th.

    Args:
        every: Trials between two lines.
    """

    def __init__(self, every: int) -> None:
        self.finished = 0
        self._every = every
        self._began = time.monotonic()

    def observe(self, event: EngineEvent) -> None:
        """Take in an event."""
        if event.kind == "trial" and event.facts["status"] == "completed":
            self.finished += 1
            if self._every and self.finished % self._every == 0:
                say(trials=self.finished, rss_mib=rss_mib(), seconds=time.monotonic() - self._began)


def main() -> None:
    """Drive the searches one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("searches", nargs="*")
    parser.add_argument("--every", type=int, default=0, help="tell of every n-th trial")
    parser.add_argument("--recover", action="store_true", help="only take the search over, and say how long it took")
    parser.add_argument("--evaluation-s", type=float, default=0.0, help="seconds that an evaluation takes")
    options = parser.parse_args()
    installation = Installation()
    for search in _chosen(installation, options.searches):
        progress = Progress(options.every)
        began = time.monotonic()
        loop = make_loop(installation, search, progress, options.evaluation_s)
        if options.recover:
            loop.recover()
            while progress.finished == 0:
                loop.tick()
            say(search=search.id, resumed_s=time.monotonic() - began, rss_mib=rss_mib())
            loop.stop()
        else:
            status = loop.run()
            spent_s = time.monotonic() - began
            say(search=search.id, status=status.value, trials=progress.finished, seconds=spent_s, rss_mib=rss_mib())


def make_loop(installation: Installation, search: Search, progress: Progress, evaluation_s: float) -> SearchLoop:
    """A loop as a coordinator makes it, but for its workers."""
    return SearchLoop(
        search.id,
        search.stages or teacher_stages(search.spec.teacher),
        open_unit_of_work=installation.database.unit_of_work,
        open_reader=installation.database.reader,
        backend=TableBackend(evaluation_s),
        clock=SystemClock(),
        make_strategy=_make_strategy,
        observe=progress.observe,
        pace=Pace(patience_s=30.0),
    )


def _chosen(installation: Installation, ids: list[str]) -> Iterator[Search]:
    with installation.database.reader() as uow:
        searches = [uow.searches.get(one) for one in ids] if ids else list(uow.searches.open(time.time()))
    yield from searches


def say(**facts: object) -> None:
    """One line for whoever reads our output."""
    print(json.dumps(facts), flush=True)


def rss_mib() -> float:
    """Resident memory of this process."""
    return float(psutil.Process().memory_info().rss / 2**20)


if __name__ == "__main__":
    main()
