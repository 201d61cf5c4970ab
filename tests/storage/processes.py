"""What other processes do to a database in these tests. Importable, so that a fresh process can run it."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.connection import Connection
from pathlib import Path

from nas.domain.lifecycle import TrialStatus
from nas.errors import Conflict
from storage.artifacts import DirectoryArtifacts, DirectoryJournal
from storage.unit_of_work import open_database
from tests.storage.values import a_trial

# A server that forks from a clean state: no connection of this process is ever inherited.
fresh_processes = multiprocessing.get_context("forkserver")
fresh_processes.set_forkserver_preload([__name__])


def add_trials(address: str, count: int, done: Connection) -> None:
    """Add `count` trials with the next free number each; somebody else taking it means another try."""
    database, added = open_database(address), 0
    while added < count:
        try:
            with database.unit_of_work() as work:
                number = len(work.trials.of_search("alpha"))
                work.trials.add(a_trial(number))
                work.events.append("alpha", "trial", "{}", time.time())
                work.commit()
            added += 1
        except Conflict:
            continue
    done.send(added)


def claim(address: str, attempts: int, done: Connection) -> None:
    """Try to claim trials 0 ... attempts-1; report those that were won."""
    database, won = open_database(address), []
    for number in range(attempts):
        with database.unit_of_work() as work:
            if work.trials.replace(TrialStatus.CANDIDATE, a_trial(number).become(TrialStatus.RUNNING)):
                won.append(number)
            work.commit()
    done.send(won)


def migrate(address: str, done: Connection) -> None:
    """Migrate a database that others migrate at the same moment."""
    open_database(address).migrate()
    done.send("migrated")


def write_until_killed(address: str, done: Connection) -> None:
    """Commit trial 0, begin trial 1, say so, and hang with the write lock held."""
    database = open_database(address)
    with database.unit_of_work() as work:
        work.trials.add(a_trial(0))
        work.commit()
        work.trials.add(a_trial(1))
        work.events.append("alpha", "half", "{}", 0.0)
        done.send("writing")
        time.sleep(600)


def store_until_killed(root: Path, done: Connection) -> None:
    """Write artifacts and results without end."""
    artifacts, journal = DirectoryArtifacts(root / "artifacts"), DirectoryJournal(root / "journal")
    number = 0
    while True:
        digest = artifacts.put(str(number).encode() * 200_000)
        journal.record(digest, "r" * 200_000)
        done.send(digest)
        number += 1


def record_own_result(root: Path, key: str, result: str, done: Connection) -> None:
    """Record a result under a key that others record too."""
    DirectoryJournal(root).record(key, result)
    done.send(DirectoryJournal(root).recall(key))
