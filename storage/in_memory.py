"""The same unit of work without a database, for notebooks and for tests of the engine.

Writers take turns on one lock, work on a copy and publish it by `commit`; rollback is forgetting the
copy. Readers get the last published state and wait for nobody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from nas.domain.device import LatencyMeasurement
from nas.domain.library import LibraryEntry
from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.errors import TransientError
from nas.ports import UnitOfWork
from storage.refusals import read_only, taken_id, taken_trial, unknown_search, unknown_trial


@dataclass(frozen=True)
class _Lease:
    holder: str | None
    token: int
    expires_at: float


@dataclass
class _State:
    searches: dict[str, Search] = field(default_factory=dict)
    trials: dict[tuple[str, int], Trial] = field(default_factory=dict)
    architectures: set[tuple[str, str]] = field(default_factory=set)
    events: dict[str, tuple[tuple[int, str, str, float], ...]] = field(default_factory=dict)
    entries: dict[str, LibraryEntry] = field(default_factory=dict)
    latencies: dict[str, LatencyMeasurement] = field(default_factory=dict)
    evaluations: dict[str, str] = field(default_factory=dict)
    leases: dict[str, _Lease] = field(default_factory=dict)

    def copy(self) -> _State:
        return _State(**{name: table.copy() for name, table in vars(self).items()})

    def require_search(self, search_id: str) -> Search:
        if search_id not in self.searches:
            raise unknown_search(search_id, list(self.searches))
        return self.searches[search_id]


class InMemoryDatabase:
    """Stands in for `storage.unit_of_work.Database` within one process.

    Args:
        now: Seconds by which leases expire; give a fake clock's `now` to move it by hand.
        lock_timeout_s: How long a writer waits for its turn.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, lock_timeout_s: float = 30.0) -> None:
        self._published = _State()
        self._writing = threading.Lock()
        self._now = now
        self._lock_timeout_s = lock_timeout_s

    @contextmanager
    def unit_of_work(self) -> Iterator[UnitOfWork]:
        """One transaction that may write.

        Raises:
            TransientError: If another writer keeps the lock too long, this thread's own included.
        """
        if not self._writing.acquire(timeout=self._lock_timeout_s):
            raise TransientError("The database is locked by another writer.", "Try again.")
        try:
            yield _InMemoryUnitOfWork(self._published.copy(), self._publish, self._now)
        finally:
            self._writing.release()

    @contextmanager
    def reader(self) -> Iterator[UnitOfWork]:
        """One consistent snapshot for reading.

        Raises:
            Conflict: At any attempt to commit what was written into it.
        """
        before = self._published
        view = before.copy()

        def refuse(state: _State) -> None:
            if state != before:
                raise read_only()

        yield _InMemoryUnitOfWork(view, refuse, self._now)

    def migrate(self) -> None:
        """There is no schema to bring up to date."""

    def close(self) -> None:
        """There is nothing to close."""

    def _publish(self, state: _State) -> None:
        self._published = state.copy()


class _InMemoryUnitOfWork:
    def __init__(self, state: _State, publish: Callable[[_State], None], now: Callable[[], float]) -> None:
        self._state = state
        self._publish = publish
        self.searches = _Searches(state)
        self.trials = _Trials(state)
        self.library = _Library(state)
        self.evaluations = _Evaluations(state)
        self.events = _Events(state)
        self.leases = _Leases(state, now)

    def commit(self) -> None:
        self._publish(self._state)


class _Repository:
    def __init__(self, state: _State) -> None:
        self._state = state


class _Searches(_Repository):
    def add(self, search: Search) -> None:
        if search.id in self._state.searches:
            raise taken_id(search.id)
        self._state.searches[search.id] = search

    def get(self, search_id: str) -> Search:
        return self._state.require_search(search_id)

    def list(self) -> Sequence[Search]:
        return sorted(self._state.searches.values(), key=lambda search: (-search.created_at, search.id))

    def replace(self, expected: SearchStatus, search: Search) -> bool:
        stored = self._state.searches.get(search.id)
        if stored is None or stored.status is not expected:
            return False
        self._state.searches[search.id] = search.evolve(intent=stored.intent)
        return True

    def set_intent(self, search_id: str, intent: Intent) -> None:
        self._state.searches[search_id] = self._state.require_search(search_id).evolve(intent=intent)


class _Trials(_Repository):
    def add(self, trial: Trial) -> None:
        self._state.require_search(trial.search)
        number, shape = (trial.search, trial.number), (trial.search, trial.architecture.digest)
        if number in self._state.trials or shape in self._state.architectures:
            raise taken_trial(trial)
        self._state.trials[number] = trial
        self._state.architectures.add(shape)

    def get(self, search_id: str, number: int) -> Trial:
        if (search_id, number) not in self._state.trials:
            last = max((known for search, known in self._state.trials if search == search_id), default=None)
            raise unknown_trial(search_id, number, last)
        return self._state.trials[search_id, number]

    def of_search(self, search_id: str, *statuses: TrialStatus) -> Sequence[Trial]:
        mine = (trial for trial in self._state.trials.values() if trial.search == search_id)
        wanted = (trial for trial in mine if not statuses or trial.status in statuses)
        return sorted(wanted, key=lambda trial: trial.number)

    def replace(self, expected: TrialStatus, trial: Trial) -> bool:
        stored = self._state.trials.get((trial.search, trial.number))
        if stored is None or stored.status is not expected or stored.architecture.digest != trial.architecture.digest:
            return False
        self._state.trials[trial.search, trial.number] = trial
        return True


class _Library(_Repository):
    def entry(self, key: str) -> LibraryEntry | None:
        return self._state.entries.get(key)

    def add_entry(self, entry: LibraryEntry) -> None:
        self._state.entries.setdefault(entry.key, entry)

    def latency(self, key: str) -> LatencyMeasurement | None:
        return self._state.latencies.get(key)

    def add_latency(self, key: str, measurement: LatencyMeasurement) -> None:
        self._state.latencies.setdefault(key, measurement)


class _Evaluations(_Repository):
    def recall(self, key: str) -> str | None:
        return self._state.evaluations.get(key)

    def record(self, key: str, result: str) -> None:
        self._state.evaluations.setdefault(key, result)


class _Events(_Repository):
    def append(self, search_id: str, kind: str, payload: str, at: float) -> int:
        self._state.require_search(search_id)
        so_far = self._state.events.get(search_id, ())
        self._state.events[search_id] = (*so_far, (len(so_far) + 1, kind, payload, at))
        return len(so_far) + 1

    def after(self, search_id: str, event_id: int, limit: int) -> Sequence[tuple[int, str, str, float]]:
        return self._state.events.get(search_id, ())[max(event_id, 0) :][:limit]


class _Leases(_Repository):
    def __init__(self, state: _State, now: Callable[[], float]) -> None:
        super().__init__(state)
        self._now = now

    def acquire(self, name: str, holder: str, ttl_s: float) -> int | None:
        held = self._state.leases.get(name, _Lease(holder=None, token=0, expires_at=0.0))
        if held.holder not in (None, holder) and held.expires_at > self._now():
            return None
        self._state.leases[name] = _Lease(holder, held.token + 1, self._now() + ttl_s)
        return held.token + 1

    def renew(self, name: str, token: int, ttl_s: float) -> bool:
        held = self._state.leases.get(name)
        if held is None or held.token != token or held.holder is None:
            return False
        self._state.leases[name] = replace(held, expires_at=self._now() + ttl_s)
        return True

    def release(self, name: str, token: int) -> None:
        held = self._state.leases.get(name)
        if held is not None and held.token == token:
            self._state.leases[name] = replace(held, holder=None)
