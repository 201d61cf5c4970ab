"""Freezes a database of the present schema, once for each released version: `python -m tests.storage.freeze`.

Writes `frozen/REVISION.sqlite` and `frozen/REVISION.postgresql.sql`. Never run it again for an older
version with newer code: a frozen file is worth something because the code of its time wrote it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from nas.domain.job import DistillBlock, Failure
from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.objective import OutcomeConstraint, Problem
from storage.unit_of_work import Database, open_database
from tests.storage import databases
from tests.storage.values import a_failed_attempt, a_latency, a_search, a_trial, an_entry, an_evaluation

FOLDER = Path(__file__).with_name("frozen")


def fill(database: Database) -> None:
    """Rows of every table, with what is easily lost: exact floats, odd text, several versions of bounds."""
    spec = a_search().spec
    block = DistillBlock(
        teacher=spec.teacher, calibration=spec.calibration, distillation=spec.distillation, stage="E1", variant="RA"
    )
    moved = Problem(constraints=(OutcomeConstraint(metric="noise_mse", at_most=0.30000000000000004),))
    done = a_search("done", 1_750_000_100.5)
    with database.unit_of_work() as work:
        work.searches.add(a_search().evolve(problems=(spec.problem, moved), intent=Intent.PAUSE))
        work.searches.add(done)
        for status in (SearchStatus.PREPARING, SearchStatus.RUNNING, SearchStatus.DRAINING, SearchStatus.COMPLETED):
            before, done = done.status, done.become(status, ran_s=12.5)
            assert work.searches.replace(before, done)
        for trial in (a_trial(0), a_trial(1), a_trial(2)):
            work.trials.add(trial)
        running = a_trial(1).become(TrialStatus.RUNNING, attempts=(a_failed_attempt(),))
        work.trials.replace(TrialStatus.CANDIDATE, running)
        completed = a_trial(2).become(TrialStatus.COMPLETED, evaluation=an_evaluation(), bounds_version=1)
        work.trials.replace(TrialStatus.CANDIDATE, completed)
        for number, kind in enumerate(("search", "trial", "trial")):
            work.events.append("alpha", kind, f'{{"facts":{{"number":{number}}}}}', number + 0.25)
        work.library.add_entry(an_entry(block.key).evolve(weights="d" * 64))
        work.library.add_entry(an_entry("nobody uses this"))
        work.library.add_latency("latency key", a_latency())
        work.evaluations.record("evaluation key", '{ "odd":1.0,  "text": "ε" }')
        failure = Failure(code="evaluation_error", message="not finite", transient=False)
        work.trials.add(a_trial(3, "done").evolve(status=TrialStatus.ABANDONED, failure=failure))
        for search in ("alpha", "done"):
            work.library.note_use(search, [block.key])
        assert work.leases.acquire("alpha", "coordinator", 0.0) == 1
        work.commit()


def freeze_sqlite(folder: Path) -> bytes:
    """A whole SQLite file."""
    database = open_database(f"sqlite:///{folder}/frozen.sqlite")
    database.migrate()
    fill(database)
    with database.engine.connect().execution_options(access="none") as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return (folder / "frozen.sqlite").read_bytes()


def freeze_postgresql(folder: Path) -> str:
    """What `pg_dump` writes, less what depends on the server and on the moment."""
    import pgserver

    database = databases.make("postgresql", folder)
    assert isinstance(database, Database)
    fill(database)
    program = Path(pgserver.__file__).with_name("pginstall") / "bin" / "pg_dump"
    address = databases.address_of(database).replace("postgresql+psycopg", "postgresql")
    command = [str(program), "--inserts", "--no-owner", "--no-privileges", address]
    dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.sub(r"^(--.*|\\(un)?restrict.*|SET .*|SELECT pg_catalog.set_config.*)?\n", "", dump, flags=re.MULTILINE)


def main(revision: str) -> None:
    """Write both files."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        (FOLDER / f"{revision}.sqlite").write_bytes(freeze_sqlite(Path(folder)))
        (FOLDER / f"{revision}.postgresql.sql").write_text(freeze_postgresql(Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1])
