"""The same trials written to and read from our storage and Optuna's, in turns, on the same kind of database.

One trial: created, claimed, nine categorical choices, three values, finished. Ours also writes an event with
each of its three steps, in the same transaction; Optuna's writes every choice in a transaction of its own.
Both as shipped: no durability is switched off.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.service.table import evaluation
from nas.domain.architecture import Architecture
from nas.domain.lifecycle import TrialStatus
from nas.domain.search import Search, SearchSpec
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.trial import Attempt, Trial
from nas.domain.value import FrozenDict
from storage.unit_of_work import Database, open_database

STAGES = ("E1", "E2", "E3", "E4", "Mid", "D4", "D3", "D2", "D1")
VARIANTS = ("teacher", "RA", "R", "dwsep", "narrow50")
TURNS = 5


def measure_peers(folder: Path, trials: int) -> list[dict[str, Any]]:
    """Trials per second written and read by both, and the ratio."""
    ours, theirs = Ours(folder), Theirs(folder)
    written = {"blocksmith": 0.0, "optuna": 0.0}
    share = trials // TURNS
    for turn in range(TURNS):
        numbers = range(turn * share, (turn + 1) * share)
        written["blocksmith"] += _timed(partial(ours.write, numbers))
        written["optuna"] += _timed(partial(theirs.write, numbers))
    read = {"blocksmith": 0.0, "optuna": 0.0}
    for _ in range(TURNS):
        read["blocksmith"] += _timed(ours.read)
        read["optuna"] += _timed(theirs.read)
    count = share * TURNS
    rows = [
        {
            "storage": name,
            "trials": count,
            "written_per_s": count / written[name],
            "read_per_s": count * TURNS / read[name],
        }
        for name in written
    ]
    ratio = {
        "storage": "ratio",
        "trials": count,
        "written_per_s": written["optuna"] / written["blocksmith"],
        "read_per_s": read["optuna"] / read["blocksmith"],
    }
    ours.close()
    return [*rows, ratio]


def choices(number: int) -> dict[str, str]:
    """The architecture of a number: its digits in base five."""
    return {stage: VARIANTS[number // 5**place % 5] for place, stage in enumerate(STAGES)}


class Ours:
    """A search in a SQLite file."""

    def __init__(self, folder: Path) -> None:
        self._database: Database = open_database(f"sqlite:///{folder}/ours.sqlite")
        self._database.migrate()
        space = SearchSpace(stages=tuple(StageChoices(stage=stage, variants=VARIANTS) for stage in STAGES))
        spec = SearchSpec(name="peers")
        with self._database.unit_of_work() as uow:
            uow.searches.add(Search(id="peers", spec=spec, space=space, problems=(spec.problem,)))
            uow.commit()

    def write(self, numbers: range) -> None:
        """Every trial from candidate to completed: three transactions of a row and an event."""
        for number in numbers:
            trial = Trial(
                search="peers", number=number, architecture=Architecture(choices=FrozenDict(choices(number)))
            )
            self._step(partial(_add, trial=trial))
            claimed = trial.become(TrialStatus.RUNNING, attempts=(Attempt(started_at=time.time()),))
            self._step(partial(_replace, expected=TrialStatus.CANDIDATE, trial=claimed))
            done = claimed.become(TrialStatus.COMPLETED, evaluation=evaluation(trial.architecture.choices))
            self._step(partial(_replace, expected=TrialStatus.RUNNING, trial=done))

    def read(self) -> None:
        """All trials, as values."""
        with self._database.reader() as uow:
            assert uow.trials.of_search("peers")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _step(self, write: Callable[[Any], object]) -> None:
        with self._database.unit_of_work() as uow:
            write(uow)
            uow.events.append("peers", "trial", '{"facts":{}}', time.time())
            uow.commit()


def _add(uow: Any, trial: Trial) -> None:
    uow.trials.add(trial)


def _replace(uow: Any, expected: TrialStatus, trial: Trial) -> None:
    uow.trials.replace(expected, trial)


class Theirs:
    """A study in another SQLite file."""

    def __init__(self, folder: Path) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self._storage = optuna.storages.RDBStorage(f"sqlite:///{folder}/theirs.sqlite")
        self._study = self._storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "peers")
        self._kind = optuna.distributions.CategoricalDistribution(VARIANTS)

    def write(self, numbers: range) -> None:
        """Every trial from created to complete."""
        state = self._optuna.trial.TrialState.COMPLETE
        for number in numbers:
            trial = self._storage.create_new_trial(self._study)
            for stage, variant in choices(number).items():
                self._storage.set_trial_param(trial, stage, VARIANTS.index(variant), self._kind)
            metrics = evaluation(FrozenDict(choices(number))).metrics
            for name in list(metrics)[1:]:
                self._storage.set_trial_user_attr(trial, name, metrics[name].mean)
            self._storage.set_trial_state_values(trial, state, [metrics["noise_mse"].mean])

    def read(self) -> None:
        """All trials, as their objects; through a storage of its own, because the first one remembers them."""
        fresh = self._optuna.storages.RDBStorage(self._storage.url, skip_table_creation=True)
        assert fresh.get_all_trials(self._study, deepcopy=False)


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
