"""The same unit of work without a database, for notebooks and for tests of the engine.

Writers take turns on one lock, work on a copy and publish it by `commit`; rollback is forgetting the
copy. Readers get the last published state and wait for nobody.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from nas.domain.device import LatencyMeasurement
from nas.domain.library import LibraryEntry
from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.objective import Problem
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.errors import TransientError
from nas.ports import UnitOfWork
from storage.in_memory_state import HeldLease, State
from storage.refusals import read_only, taken_id, taken_trial, unknown_trial


class InMemoryDatabase:
    """Stands in for `storage.unit_of_work.Database` within one process.

    Args:
        now: Seconds by which leases expire; give a fake clock's `now` to move it by hand.
        lock_timeout_s: How long a writer waits for its turn.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, lock_timeout_s: float = 30.0) -> None:
        self._published = State()
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

        def refuse(state: State) -> None:
            if state != before:
                raise read_only()

        yield _InMemoryUnitOfWork(view, refuse, self._now)

    def migrate(self) -> None:
        """There is no schema to bring up to date."""

    def close(self) -> None:
        """There is nothing to close."""

    def _publish(self, state: State) -> None:
        self._published = state.copy()


class _InMemoryUnitOfWork:
    def __init__(self, state: State, publish: Callable[[State], None], now: Callable[[], float]) -> None:
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
    def __init__(self, state: State) -> None:
        self._state = state


class _Searches(_Repository):
    def add(self, search: Search) -> None:
        if search.id in self._state.searches:
            raise taken_id(search.id)
        self._state.searches[search.id] = search
        self._state.bounds[search.id] = tuple(
            (version, problem, "", search.created_at) for version, problem in enumerate(search.problems)
        )

    def get(self, search_id: str) -> Search:
        return self._state.require_search(search_id)

    def list(self) -> Sequence[Search]:
        return sorted(self._state.searches.values(), key=lambda search: (-search.created_at, search.id))

    def open(self, now: float) -> Sequence[Search]:
        return sorted(
            (
                search
                for search in self._state.searches.values()
                if not search.status.is_terminal and (search.deleted_at is None or search.deleted_at > now)
            ),
            key=lambda search: (search.created_at, search.id),
        )

    def replace(self, expected: SearchStatus, search: Search) -> bool:
        stored = self._state.searches.get(search.id)
        if stored is None or stored.status is not expected:
            return False
        users = {"intent": stored.intent, "problems": stored.problems, "deleted_at": stored.deleted_at}
        self._state.searches[search.id] = search.evolve(**users)
        return True

    def set_intent(self, search_id: str, intent: Intent) -> None:
        self._state.searches[search_id] = self._state.require_search(search_id).evolve(intent=intent)

    def trash(self, search_id: str, at: float | None) -> None:
        self._state.searches[search_id] = self._state.require_search(search_id).evolve(deleted_at=at)

    def add_bounds(self, search_id: str, problem: Problem, by: str, at: float) -> int:
        search = self._state.require_search(search_id)
        version = len(search.problems)
        self._state.searches[search_id] = search.evolve(problems=(*search.problems, problem))
        self._state.bounds[search_id] = (*self._state.bounds[search_id], (version, problem, by, at))
        return version

    def bounds(self, search_id: str) -> Sequence[tuple[int, Problem, str, float]]:
        return self._state.bounds.get(search_id, ())


class _Trials(_Repository):
    def add(self, trial: Trial) -> None:
        self._state.require_search(trial.search)
        number, shape = (trial.search, trial.number), (trial.search, trial.architecture.digest)
        if number in self._state.trials or shape in self._state.architectures:
            raise taken_trial(trial)
        self._store(trial)
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

    def page(self, search_id: str, after: int, limit: int, statuses: Sequence[TrialStatus] = ()) -> Sequence[Trial]:
        return [trial for trial in self.of_search(search_id, *statuses) if trial.number > after][:limit]

    def changed_after(self, search_id: str, event_id: int) -> Sequence[Trial]:
        return [
            trial for trial in self.of_search(search_id) if self._state.changed[search_id, trial.number] > event_id
        ]

    def counts(self, search_id: str) -> dict[TrialStatus, int]:
        return dict(Counter(trial.status for trial in self.of_search(search_id)))

    def replace(self, expected: TrialStatus, trial: Trial) -> bool:
        stored = self._state.trials.get((trial.search, trial.number))
        if stored is None or stored.status is not expected or stored.architecture.digest != trial.architecture.digest:
            return False
        self._store(trial)
        return True

    def add_log(self, search_id: str, number: int, attempt: int, text: str) -> None:
        self.get(search_id, number)
        self._state.logs[search_id, number, attempt] = text

    def logs(self, search_id: str, number: int) -> Sequence[tuple[int, str]]:
        mine = (key for key in self._state.logs if key[:2] == (search_id, number))
        return [(key[2], self._state.logs[key]) for key in sorted(mine)]

    def _store(self, trial: Trial) -> None:
        place = (trial.search, trial.number)
        self._state.trials[place] = trial
        self._state.changed[place] = len(self._state.events.get(trial.search, ())) + 1


class _Library(_Repository):
    def entry(self, key: str) -> LibraryEntry | None:
        return self._state.entries.get(key)

    def add_entry(self, entry: LibraryEntry) -> None:
        self._state.entries.setdefault(entry.key, entry)

    def latency(self, key: str) -> LatencyMeasurement | None:
        return self._state.latencies.get(key)

    def latencies(self, keys: Collection[str]) -> Mapping[str, LatencyMeasurement]:
        return {key: self._state.latencies[key] for key in keys if key in self._state.latencies}

    def add_latency(self, key: str, measurement: LatencyMeasurement) -> None:
        stored = self._state.latencies.setdefault(key, measurement)
        if stored.device != measurement.device:
            self._state.latencies[key] = measurement

    def note_use(self, search_id: str, keys: Iterable[str]) -> None:
        self._state.require_search(search_id)
        self._state.uses[search_id] = self._state.uses.get(search_id, frozenset()) | frozenset(keys)

    def uses(self, search_id: str) -> Sequence[str]:
        return sorted(self._state.uses.get(search_id, frozenset()))


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

    def last(self, search_id: str) -> int:
        self._state.require_search(search_id)
        return len(self._state.events.get(search_id, ()))


class _Leases(_Repository):
    def __init__(self, state: State, now: Callable[[], float]) -> None:
        super().__init__(state)
        self._now = now

    def acquire(self, name: str, holder: str, ttl_s: float) -> int | None:
        held = self._state.leases.get(name, HeldLease(holder=None, token=0, expires_at=0.0))
        if held.holder not in (None, holder) and held.expires_at > self._now():
            return None
        self._state.leases[name] = HeldLease(holder, held.token + 1, self._now() + ttl_s)
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

    def held(self) -> dict[str, str]:
        now = self._now()
        return {
            name: lease.holder
            for name, lease in self._state.leases.items()
            if lease.holder is not None and lease.expires_at > now
        }
