"""Twenty searches in four projects at once: who gets how much of the workers.

The real pool, loops and storage, one thread per search as in a coordinator; workers are timers.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from api.composition import SystemClock, _make_strategy
from api.teachers import teacher_stages
from benchmarks.service.site import Site
from benchmarks.service.table import answer
from nas.domain.job import EvaluateArchitecture, Job, Outcome
from nas.domain.search import Search
from nas.engine.loop import SearchLoop
from nas.engine.pace import Pace
from workers.pool import Pool, PoolClient

PROJECTS = {"one": 1, "two": 2, "five": 5, "twelve": 12}
"""Searches of each project, which is also its name."""

SLOTS = 8
EVALUATION_S = 0.25
WINDOW_S = 25.0


class Timers:
    """Workers that do nothing for a while and then answer from the table.

    Attributes:
        served_s: Worker seconds by search.
    """

    slots = float(SLOTS)

    def __init__(self) -> None:
        self.served_s: defaultdict[str, float] = defaultdict(float)
        self.is_counting = False
        self._done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()

    def cpus_of(self, job: Job) -> float:
        """What the job asks for; nobody waits for a device."""
        return job.resources.cpus

    def waits(self, key: str) -> bool:
        """Nobody does."""
        del key
        return False

    def submit(self, job: Job) -> None:
        """Answer when the time is over."""
        takes_s = EVALUATION_S if isinstance(job.payload, EvaluateArchitecture) else 0.0
        if self.is_counting:
            self.served_s[job.search] += takes_s
        timer = threading.Timer(takes_s, lambda: self._done.put(answer(job).evolve(seconds=takes_s)))
        timer.daemon = True
        timer.start()

    def poll(self, timeout_s: float) -> list[Outcome]:
        """What is over."""
        try:
            return [self._done.get(timeout=timeout_s)]
        except queue.Empty:
            return []

    def cancel(self, key: str) -> None:
        """Let it run out; nobody listens."""
        del key

    def limit(self, cpus: float) -> None:
        """There are no others."""
        del cpus

    def close(self) -> None:
        """Nothing to stop."""


def measure_fairness(site: Site) -> list[dict[str, Any]]:
    """Worker seconds per project and Jain's index between projects, and between the searches of each.

    1 is perfectly fair; one over the number of parties means that one got everything.
    """
    with site.client() as client:
        for project in PROJECTS:
            client.post("/v1/projects", json={"project": project}).raise_for_status()
        searches = {
            site.submit(
                client, f"{project}-{number}", 5_000, project=project, seed=100 * number + len(project)
            ): project
            for project, count in PROJECTS.items()
            for number in range(count)
        }
    workers = Timers()
    pool = Pool(workers)
    loops = [_start(site, pool, search, project) for search, project in searches.items()]
    time.sleep(8.0)  # libraries are complete
    workers.is_counting = True
    time.sleep(WINDOW_S)
    served = dict(workers.served_s)
    for loop in loops:
        loop.retire(0.0)
    pool.close()
    with site.client() as client:
        for search in searches:
            client.patch(f"/v1/searches/{search}", json={"intent": "cancel"})
    by_project = {name: [served.get(one, 0.0) for one in searches if searches[one] == name] for name in PROJECTS}
    rows = [
        {"project": name, "searches": len(shares), "worker_s": sum(shares), "jain_within": jain(shares)}
        for name, shares in by_project.items()
    ]
    whole = [sum(shares) for shares in by_project.values()]
    utilisation = sum(whole) / (SLOTS * WINDOW_S)
    between = {"project": "between projects", "searches": len(searches), "worker_s": sum(whole)}
    return [*rows, {**between, "jain_within": jain(whole), "utilisation": utilisation}]


def jain(shares: Iterable[float]) -> float:
    """Jain's fairness index."""
    values = list(shares)
    return sum(values) ** 2 / (len(values) * sum(value**2 for value in values)) if any(values) else 0.0


def _start(site: Site, pool: Pool, search_id: str, project: str) -> SearchLoop:
    with site.database.reader() as uow:
        search: Search = uow.searches.get(search_id)
    client: PoolClient = pool.client(search_id, project, search.spec.parallelism)
    loop = SearchLoop(
        search_id,
        search.stages or teacher_stages(search.spec.teacher),
        open_unit_of_work=site.database.unit_of_work,
        open_reader=site.database.reader,
        backend=client,
        clock=SystemClock(),
        make_strategy=_make_strategy,
        pace=Pace(patience_s=5.0),
    )
    threading.Thread(target=loop.run, daemon=True).start()
    return loop
