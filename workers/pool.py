"""One pool of workers for all searches of a coordinator: fair, bounded, and each job runs once."""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from nas.domain.job import Failure, Job, Outcome
from workers.fair_share import FairShare, Queue
from workers.workforce import Workers, WorkersLost

log = logging.getLogger(__name__)

MOST_LOSSES = 5
"""Times that a job is started again because all workers were lost; then its failure is told."""
POLL_S = 1.0
FAILURE = Failure(code="node_lost", message="All workers were lost, time and again.", transient=True)


@dataclass
class Running:
    """A job on a worker.

    Attributes:
        queue: Whose share it is charged to.
        askers: Everybody who waits for its outcome.
        since: Monotonic time of its start.
    """

    job: Job
    queue: Queue
    askers: list[PoolClient]
    since: float


class Pool:
    """Shares workers between searches.

    The same job asked for by two searches runs once and answers both. Jobs reach the workers at the
    last moment, so that who comes next is decided when a worker is free, and not before.

    Args:
        workers: Who does the work; closed with the pool.
        now: Monotonic seconds, by which service is accounted.
    """

    def __init__(self, workers: Workers, now: Callable[[], float] = time.monotonic) -> None:
        self._workers = workers
        self._now = now
        self._lock = threading.RLock()
        self._fair = FairShare()
        self._clients: dict[str, PoolClient] = {}
        self._running: dict[str, Running] = {}
        self._losses: Counter[str] = Counter()
        self._limit = math.inf
        self._is_frozen = False
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="pool", daemon=True)
        self._thread.start()

    @property
    def slots(self) -> float:
        """CPUs that this pool may use now."""
        return min(self._workers.slots, self._limit)

    @property
    def busy(self) -> int:
        """Jobs on workers."""
        return len(self._running)

    @property
    def queued(self) -> int:
        """Jobs that wait."""
        with self._lock:
            return self._fair.queued

    def client(self, name: str, project: str, parallelism: int) -> PoolClient:
        """A job backend for one search.

        Args:
            name: Unique among the clients that are open.
            project: Who pays.
            parallelism: Jobs that may run at once.
        """
        with self._lock:
            client = PoolClient(self, name, self._fair.open(name, project, parallelism))
            self._clients[name] = client
            return client

    def set_quota(self, project: str, most: float) -> None:
        """Bound the jobs of a project that run at once."""
        with self._lock:
            self._fair.set_quota(project, most)
            self._start()

    def limit(self, cpus: float) -> None:
        """Use no more CPUs than this, because other coordinators share them."""
        with self._lock:
            if cpus != self._limit:
                self._limit = cpus
                self._workers.limit(cpus)
                self._start()

    def freeze(self) -> None:
        """Start nothing any more; what runs goes on."""
        self._is_frozen = True

    def close(self) -> None:
        """Stop everything."""
        self._is_frozen = True
        self._is_closed.set()
        self._workers.close()
        self._thread.join(timeout=10.0)

    def submit(self, client: PoolClient, job: Job) -> None:
        """Queue a job, or join whoever waits for the same."""
        key = job.key
        with self._lock:
            running = self._running.get(key)
            if running is None:
                self._fair.put(client.queue, job, self._now())
                self._start()
            elif client not in running.askers:
                running.askers.append(client)

    def cancel(self, client: PoolClient, key: str) -> None:
        """Stop waiting for a job; it ends when nobody waits any more."""
        with self._lock:
            client.queue.jobs.pop(key, None)
            running = self._running.get(key)
            if running is None or client not in running.askers:
                return
            running.askers.remove(client)
            if not running.askers:
                self._end(running)
                self._workers.cancel(key)
                self._start()

    def withdraw(self, client: PoolClient) -> list[str]:
        """Take back the jobs of a client that no worker has begun."""
        with self._lock:
            keys = list(client.queue.jobs)
            client.queue.jobs.clear()
            waiting = [key for key, running in self._running.items() if client in running.askers]
            for key in [key for key in waiting if self._workers.waits(key)]:
                self.cancel(client, key)
                keys.append(key)
            return keys

    def leave(self, client: PoolClient) -> None:
        """Drop a client with all its jobs."""
        with self._lock:
            client.queue.jobs.clear()
            for key in [key for key, running in self._running.items() if client in running.askers]:
                self.cancel(client, key)
            self._fair.forget(client.name)
            self._clients.pop(client.name, None)

    def _serve(self) -> None:
        while not self._is_closed.is_set():
            try:
                outcomes = self._workers.poll(POLL_S)
            except WorkersLost as error:
                log.warning("%d jobs lost their workers: %s", self.busy, error)
                self._begin_again()
                continue
            with self._lock:
                for outcome in outcomes:
                    self._answer(outcome)
                self._start()

    def _answer(self, outcome: Outcome) -> None:
        running = self._running.get(outcome.key)
        if running is not None:
            self._end(running, outcome.seconds or math.inf)
            self._tell(running, outcome)

    def _tell(self, running: Running, outcome: Outcome) -> None:
        self._losses.pop(outcome.key, None)
        for asker in running.askers:
            asker.answers.put(outcome)

    def _end(self, running: Running, worked_s: float = math.inf) -> None:
        """Take a job off the workers. It is charged what it worked, and not what an answer was late to be seen."""
        del self._running[running.job.key]
        now = self._now()
        self._fair.end(running.queue, running.job, running.since, min(worked_s, now - running.since), now)

    def _start(self) -> None:
        """Hand over jobs while there is room for whoever is next."""
        while not self._is_frozen and (chosen := self._fair.next()) is not None:
            _, owner, job = chosen
            if not self._fits(job):
                return
            self._launch(job, owner)

    def _fits(self, job: Job) -> bool:
        """Whether a job has room. Alone it may try, whatever its size: the workers say what is impossible."""
        taken = sum(self._workers.cpus_of(running.job) for running in self._running.values())
        slots = self.slots
        return slots > 0 and (taken == 0 or taken + self._workers.cpus_of(job) <= slots)

    def _launch(self, job: Job, owner: Queue) -> None:
        key = job.key
        askers = [self._clients[name] for name in self._fair.holding(key)]
        for asker in askers:
            asker.queue.jobs.pop(key)
        now = self._now()
        self._running[key] = Running(job, owner, askers, now)
        self._fair.begin(owner, job, now)
        self._workers.submit(job)

    def _begin_again(self) -> None:
        """Queue every job that was lost once more, ahead of the others; the loss was not its fault."""
        with self._lock:
            for key, running in list(self._running.items()):
                self._end(running)
                self._losses[key] += 1
                if self._losses[key] > MOST_LOSSES:
                    self._tell(running, Outcome(key=key, failure=FAILURE))
                    continue
                for asker in running.askers:
                    asker.queue.jobs = {key: running.job, **asker.queue.jobs}


class PoolClient:
    """A `JobBackend` of one search, fed by a pool.

    Attributes:
        answers: Outcomes that arrived and were not fetched yet.
    """

    def __init__(self, pool: Pool, name: str, its_queue: Queue) -> None:
        self._pool = pool
        self.name = name
        self.queue = its_queue
        self.answers: queue.SimpleQueue[Outcome] = queue.SimpleQueue()

    def submit(self, job: Job) -> None:
        """Queue a job. A key in flight is a no-op."""
        self._pool.submit(self, job)

    def poll(self, timeout_s: float) -> list[Outcome]:
        """Outcomes that arrived since the last call; waits up to `timeout_s` for the first."""
        arrived: list[Outcome] = []
        try:
            arrived.append(self.answers.get(timeout=timeout_s) if timeout_s > 0 else self.answers.get_nowait())
            while True:
                arrived.append(self.answers.get_nowait())
        except queue.Empty:
            return arrived

    def cancel(self, key: str) -> None:
        """Stop waiting for a job; it is stopped unless another search waits for it."""
        self._pool.cancel(self, key)

    def withdraw(self) -> list[str]:
        """Take back every job that no worker has begun; returns their keys."""
        return self._pool.withdraw(self)

    def close(self) -> None:
        """Leave the pool."""
        self._pool.leave(self)
