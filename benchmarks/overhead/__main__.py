"""Measures idle workers: `python -m benchmarks.overhead [--evaluation-s 1.0]`.

Waiting is real (every evaluation sleeps), computing is ours alone: loop, strategy, pool, SQLite on the disk.
A worker counts as idle from its answer to its next job. What is expected stands in `EXPECTED`, and was written
down before the first run.
"""

from __future__ import annotations

import argparse
import functools
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from api.composition import SystemClock, load_ahead, make_suggester, proposer
from api.installation import Installation
from api.settings import Settings
from api.teachers import describe_teacher
from benchmarks.overhead.sleepers import Sleepers
from benchmarks.report import write_results
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import Budget, Search, SearchSpec, StrategySpec
from nas.engine.advice import Advice, Adviser, adviser_of
from nas.engine.loop import SearchLoop
from workers.pool import Pool
from workers.suggester import Suggester

ROUNDS = {2: 25, 16: 25}
"""Evaluations per worker, by the number of workers."""
GOAL = 0.05
EXPECTED = {
    ("random", 2): "under 1 %: two transactions of some milliseconds between answer and next job, most of it ahead",
    ("random", 16): "under 2 %: the same, sixteen times a second, and jobs wait at the door",
    ("epsilon_constraint", 2): "under 2 %: a suggestion takes about half an evaluation; claimed ahead it hides",
    ("epsilon_constraint", 16): "as much as sixteen a second are too many for one thread, or under 5 %",
}


class Watched(Adviser):
    """What proposes, with a stopwatch.

    Attributes:
        seconds: From question to answer.
        counts: Suggestions of each answer.
        lapses: Answers that were a fall-back's.
    """

    def __init__(self, adviser: Adviser) -> None:
        self._adviser = adviser
        self._asked_at = 0.0
        self.seconds: list[float] = []
        self.counts: list[int] = []
        self.lapses = 0

    def ask(self, *question: Any) -> None:
        """Pass the question on."""
        self._asked_at = time.monotonic()
        self._adviser.ask(*question)

    def has_answered(self, *, is_urgent: bool) -> bool:
        """Whether there is an answer."""
        return self._adviser.has_answered(is_urgent=is_urgent)

    def answer(self) -> Advice:
        """The answer; note how long it took."""
        advice = self._adviser.answer()
        self.seconds.append(time.monotonic() - self._asked_at)
        self.counts.append(len(advice.suggestions))
        self.lapses += advice.lapse is not None
        return advice

    def close(self) -> None:
        """Nothing will be asked any more."""
        self._adviser.close()


def main() -> None:
    """Run every case and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluation-s", type=float, default=1.0)
    parser.add_argument("--only", default="", help="a strategy")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    rows = []
    for (strategy, workers), expected in EXPECTED.items():
        if options.only in ("", strategy):
            rows.append({**measure(strategy, workers, options.evaluation_s), "expected before": expected})
            print(rows[-1], flush=True)
    write_results("overhead", {"goal": GOAL, "rounds": ROUNDS, "cases": rows}, {"Idle share of workers": rows})


def measure(strategy: str, workers: int, evaluation_s: float) -> dict[str, Any]:
    """Drive one search and say how idle its workers were."""
    with tempfile.TemporaryDirectory() as folder:
        installation = Installation(settings=Settings(data=Path(folder)))
        search = submit(installation, strategy, workers)
        sleepers = Sleepers(workers, evaluation_s)
        pool = Pool(sleepers)
        watched: list[Watched] = []

        def make(suggester: Suggester, asked: Search, costs: Any) -> Watched:
            watched.append(Watched(adviser_of(proposer(suggester, asked, costs))))
            return watched[-1]

        suggester = make_suggester(installation.settings)
        load_ahead(suggester, search)
        while strategy != "random" and not suggester.is_loaded:
            time.sleep(0.1)  # it is loaded while the blocks are being made
        began, cpu = time.monotonic(), time.process_time()
        SearchLoop(
            search.id,
            describe_teacher(search.spec).stages,
            open_unit_of_work=installation.database.unit_of_work,
            open_reader=installation.database.reader,
            backend=pool.client(search.id, "default", workers),
            clock=SystemClock(),
            make_strategy=functools.partial(make, suggester),
        ).run()
        spent_s, cpu_s = time.monotonic() - began, time.process_time() - cpu
        pool.close()
        suggester.close()
        installation.database.close()
    suggestions = sum(watched[0].counts)
    return {
        "strategy": strategy,
        "workers": workers,
        "trials": search.spec.budget.trials,
        "idle share": sleepers.idle_share(),
        "seconds": spent_s,
        "seconds per suggestion": sum(watched[0].seconds) / suggestions,
        "suggestions per call": suggestions / len(watched[0].counts),
        "fall-backs": watched[0].lapses,
        "driver's CPU seconds": cpu_s,
        "load average": os.getloadavg()[0],
    }


def submit(installation: Installation, strategy: str, workers: int) -> Search:
    """A search over the reference teacher's own space, with a bound on fidelity."""
    spec = SearchSpec(
        name="overhead",
        constraints=(OutcomeConstraint(metric="noise_mse", at_most=0.03),),
        strategy=StrategySpec(name=strategy),
        budget=Budget(trials=ROUNDS[workers] * workers),
        parallelism=workers,
    )
    space = describe_teacher(spec).space
    search = Search(id=f"overhead-{strategy}-{workers}", spec=spec, space=space, problems=(spec.problem,))
    with installation.database.unit_of_work() as uow:
        uow.searches.add(search)
        uow.commit()
    return search


if __name__ == "__main__":
    main()
