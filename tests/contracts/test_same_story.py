"""Random stories told to memory and to a real database at once: every answer has to be the same."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import event

from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.objective import OutcomeConstraint, Problem
from nas.errors import NasError
from nas.ports import UnitOfWork
from storage.in_memory import InMemoryDatabase
from storage.unit_of_work import Database, open_database
from tests.storage import databases
from tests.storage.values import a_search, a_trial, an_entry

searches = st.sampled_from(["alpha", "beta"])
numbers = st.integers(0, 2)
search_statuses = st.sampled_from([SearchStatus.CREATED, SearchStatus.PREPARING])
trial_statuses = st.sampled_from([TrialStatus.CANDIDATE, TrialStatus.RUNNING])
holders = st.sampled_from(["me", "you"])


@functools.cache
def empty_file() -> bytes:
    """A migrated SQLite file; copying it is much faster than migrating for every story."""
    with tempfile.TemporaryDirectory(prefix="story-") as folder:
        databases.make("sqlite", Path(folder)).close()
        return Path(folder, "data", "blocksmith.db").read_bytes()


def sqlite_without_disk_waits(file: Path) -> Database:
    file.write_bytes(empty_file())
    database = open_database(f"sqlite:///{file}")
    event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    return database


class SameStory(RuleBasedStateMachine):
    """Runs each step in an open transaction of both databases and compares what they say."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="story-"))
        self.both = [InMemoryDatabase(), self.real_database()]
        self._begin()
        self.both_say(lambda work: work.searches.add(a_search("alpha")))
        self.commit()

    def real_database(self) -> Database:
        return sqlite_without_disk_waits(self.folder / "b.db")

    def _begin(self) -> None:
        self.blocks = [database.unit_of_work() for database in self.both]
        self.works = [block.__enter__() for block in self.blocks]
        self.changed = False

    def _end(self) -> None:
        for block in self.blocks:
            block.__exit__(None, None, None)

    def both_say(self, act: Callable[[UnitOfWork], Any]) -> None:
        answers = []
        for work in self.works:
            try:
                answers.append(("answer", act(work)))
            except NasError as error:
                answers.append((type(error).__name__, str(error)))
        assert answers[0] == answers[1]
        self.changed = True

    @rule()
    @precondition(lambda self: self.changed)
    def commit(self) -> None:
        for work in self.works:
            work.commit()
        self._end()
        self._begin()

    @rule()
    @precondition(lambda self: self.changed)
    def roll_back(self) -> None:
        self._end()
        self._begin()

    @rule(search=searches)
    def add_search(self, search: str) -> None:
        self.both_say(lambda work: work.searches.add(a_search(search, created_at=float(len(search)))))

    @rule(search=searches, expected=search_statuses, status=search_statuses)
    def replace_search(self, search: str, expected: SearchStatus, status: SearchStatus) -> None:
        after = a_search(search, created_at=7.0).evolve(status=status)
        self.both_say(lambda work: work.searches.replace(expected, after))

    @rule(search=searches, intent=st.sampled_from(Intent))
    def set_intent(self, search: str, intent: Intent) -> None:
        self.both_say(lambda work: work.searches.set_intent(search, intent))

    @rule(search=searches, number=numbers, architecture=numbers)
    def add_trial(self, search: str, number: int, architecture: int) -> None:
        self.both_say(lambda work: work.trials.add(a_trial(number, search, architecture)))

    @rule(
        search=searches,
        number=numbers,
        architecture=numbers,
        expected=trial_statuses,
        status=trial_statuses,
    )
    def replace_trial(
        self, search: str, number: int, architecture: int, expected: TrialStatus, status: TrialStatus
    ) -> None:
        after = a_trial(number, search, architecture).evolve(status=status)
        self.both_say(lambda work: work.trials.replace(expected, after))

    @rule(search=searches, at=st.sampled_from([None, 5.0, 50.0]))
    def trash(self, search: str, at: float | None) -> None:
        self.both_say(lambda work: work.searches.trash(search, at))

    @rule(search=searches, at_most=st.sampled_from([0.25, 1e-9]))
    def add_bounds(self, search: str, at_most: float) -> None:
        problem = Problem(constraints=(OutcomeConstraint(metric="noise_mse", at_most=at_most),))
        self.both_say(lambda work: work.searches.add_bounds(search, problem, "me", 2.5))

    @rule(search=searches, number=numbers, attempt=st.integers(0, 1), text=st.sampled_from(["", "\x00 ε \ud800"]))
    def add_log(self, search: str, number: int, attempt: int, text: str) -> None:
        self.both_say(lambda work: work.trials.add_log(search, number, attempt, text))
        self.both_say(lambda work: list(work.trials.logs(search, number)))

    @rule(search=searches, keys=st.lists(st.sampled_from("klm")))
    def note_use(self, search: str, keys: list[str]) -> None:
        self.both_say(lambda work: work.library.note_use(search, keys))
        self.both_say(lambda work: list(work.library.uses(search)))

    @rule(search=searches, number=numbers)
    def get_trial(self, search: str, number: int) -> None:
        self.both_say(lambda work: work.trials.get(search, number))

    @rule(search=searches)
    def append_event(self, search: str) -> None:
        self.both_say(lambda work: work.events.append(search, "told", "{}", 1.5))

    @rule(search=searches, after=st.integers(-2, 3), limit=st.integers(0, 3))
    def read_events(self, search: str, after: int, limit: int) -> None:
        self.both_say(lambda work: list(work.events.after(search, after, limit)))

    @rule(search=searches, after=st.integers(-1, 3), limit=st.integers(0, 3), statuses=st.lists(trial_statuses))
    def read_trials(self, search: str, after: int, limit: int, statuses: list[TrialStatus]) -> None:
        self.both_say(lambda work: list(work.trials.page(search, after, limit, statuses)))
        self.both_say(lambda work: list(work.trials.changed_after(search, after)))
        self.both_say(lambda work: work.trials.counts(search))
        self.both_say(lambda work: work.events.last(search))

    @rule(key=st.sampled_from("kl"), number=numbers)
    def keep_results(self, key: str, number: int) -> None:
        self.both_say(lambda work: work.library.add_entry(an_entry(key, float(number))))
        self.both_say(lambda work: work.evaluations.record(key, str(number)))
        self.both_say(lambda work: (work.library.entry(key), work.evaluations.recall(key)))

    @rule(name=searches, holder=holders)
    def acquire(self, name: str, holder: str) -> None:
        self.both_say(lambda work: work.leases.acquire(name, holder, 600.0))

    @rule(name=searches, token=st.integers(1, 4), give_back=st.booleans())
    def renew_or_release(self, name: str, token: int, give_back: bool) -> None:
        if give_back:
            self.both_say(lambda work: work.leases.release(name, token))
        self.both_say(lambda work: work.leases.renew(name, token, 600.0))

    @invariant()
    def show_the_same_searches_and_trials(self) -> None:
        names = ("alpha", "beta")
        shown = [
            (
                list(work.searches.list()),
                [[search.id for search in work.searches.open(now)] for now in (4.0, 5.0, 60.0)],
                [list(work.searches.bounds(name)) for name in names],
                [list(work.trials.of_search(name)) for name in names],
                work.leases.held(),
            )
            for work in self.works
        ]
        assert shown[0] == shown[1]

    def teardown(self) -> None:
        self._end()
        for database in self.both:
            database.close()
        shutil.rmtree(self.folder)


class SameStoryOnPostgresql(SameStory):
    """The same against a real server; fewer examples, because each begins with emptying it."""

    def real_database(self) -> Database:
        databases.make("postgresql", self.folder).close()
        return open_database(databases.address_of(databases.migrated_postgresql()))


TestSameStory = SameStory.TestCase
TestSameStory.settings = settings(max_examples=30, stateful_step_count=40)
TestSameStoryOnPostgresql = SameStoryOnPostgresql.TestCase
TestSameStoryOnPostgresql.settings = settings(TestSameStory.settings, max_examples=10)
